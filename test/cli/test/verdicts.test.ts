/** What diff, search and exposure say, held against real packets at this kernel on a sample of random sets of policies. */

import { expect, test } from "bun:test";
import { resolve } from "node:path";

test("the kernel does what diff, search and exposure say, in each form of ruleset", () => {
	const program = resolve(import.meta.dir, "support/verdicts-at-kernel.ts");
	const ended = Bun.spawnSync([process.execPath, program], { stdout: "pipe", stderr: "pipe" });
	expect(ended.stderr.toString()).toBe("");
	const { sent, result } = JSON.parse(ended.stdout.toString());
	expect(result).toMatchObject({ ok: true });
	expect(result.report.disagreements).toEqual([]);
	expect(result.report.forms.length).toBe(2);
	expect(Math.min(sent.diff, sent.search, sent.exposure)).toBeGreaterThan(20);
	// What can be sent at all is most of it.
	const all = 2 * (sent.diff + sent.search + sent.exposure);
	expect(result.report.agreed).toBeGreaterThan(all / 2);
});
