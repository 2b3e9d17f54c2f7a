import { expect, test } from "bun:test";
import { kubearmorApiLine } from "../../../src/cli/status/outlets-text.ts";
import { sampleApi } from "../../report/sample-api.ts";

test("one line with its state and its counts", () => {
	expect(kubearmorApiLine(sampleApi)).toBe(
		"KubeArmor's log service on 127.0.0.1:32767: serving, 2 connections, 3 watching, 43 sent, 7 dropped, 1 failed",
	);
	expect(kubearmorApiLine({ ...sampleApi, connections: 1 })).toContain("1 connection,");
});
