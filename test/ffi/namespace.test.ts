/** A network of its own, in a program of its own: this one stays where it is. */

import { expect, test } from "bun:test";
import { resolve } from "node:path";

const program = resolve(import.meta.dir, "support/leave-network.ts");
const run = (...under: readonly string[]) => {
	const ended = Bun.spawnSync([...under, process.execPath, program], { stdout: "pipe", stderr: "pipe" });
	expect(ended.stderr.toString()).toBe("");
	return JSON.parse(ended.stdout.toString());
};

test("the thread is in another network, where there is nothing but loopback and what it makes", () => {
	const { left, moved, before, tunnel, again, after } = run();
	expect([left, moved, before]).toEqual([{ ok: true }, true, ["lo"]]);
	expect(tunnel).toMatchObject({ ok: true });
	expect(again).toMatchObject({ ok: false, error: expect.stringContaining("TUNSETIFF") });
	expect(after).toEqual(["lo", "pw0"]);
});

test("who may not leave its network stays, and is told", () => {
	const { left, moved } = run("setpriv", "--bounding-set=-sys_admin");
	expect(left).toMatchObject({ ok: false, error: expect.stringContaining("EPERM") });
	expect(moved).toBe(false);
});
