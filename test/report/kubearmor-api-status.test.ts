import { expect, test } from "bun:test";
import { apiWarnings, unheardApi } from "../../src/report/kubearmor-api-status.ts";
import { sampleApi } from "./sample-api.ts";

test("what is not served is a warning", () => {
	const waiting = unheardApi("127.0.0.1:1", null);
	expect([null, sampleApi, waiting].flatMap(apiWarnings)).toEqual([]);
	const failing = { ...waiting, state: "failing", error: "127.0.0.1:1 is in use" } as const;
	expect(apiWarnings(failing)).toEqual(["KubeArmor's clients are not served: 127.0.0.1:1 is in use"]);
	expect(apiWarnings({ ...failing, state: "refused" })).toHaveLength(1);
});
