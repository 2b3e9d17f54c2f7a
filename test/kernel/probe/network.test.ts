/** Packets at rules of nft in a network that a program of its own makes. */

import { expect, test } from "bun:test";
import { resolve } from "node:path";

test("what passes and what is dropped is seen, both ways, by each interface", () => {
	const program = resolve(import.meta.dir, "support/at-rules.ts");
	const ended = Bun.spawnSync([process.execPath, program], { stdout: "pipe", stderr: "pipe" });
	expect(ended.stderr.toString()).toBe("");
	const { passed, refused } = JSON.parse(ended.stdout.toString());
	expect(passed).toEqual({
		"ingress 6 22": [true, false, true],
		"ingress 17 53": [true, true, true],
		"ingress 47 0": [true, true, true],
		"egress 6 22": [true, true, true],
		"egress 17 53": [true, true, false],
		"egress 47 0": [true, false, false],
	});
	expect(refused).toContain("this is no new network namespace");
});
