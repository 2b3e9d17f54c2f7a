import { expect, test } from "bun:test";
import { join } from "node:path";
import { raiseDescriptorLimit } from "../../ffi/limits.ts";

const module = JSON.stringify(join(import.meta.dir, "../../ffi/limits.ts"));

/** In a process of its own, under the shell's limits: what raising to `wanted` gives, and what the kernel says then. */
function raise(limits: string, wanted: number): { soft: number; held: number } {
	const program = `
		import { raiseDescriptorLimit } from ${module};
		import { readFileSync } from "node:fs";
		const limit = raiseDescriptorLimit(${wanted});
		const held = /Max open files +(\\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
		console.log(JSON.stringify({ soft: limit.ok ? limit.soft : -1, held: Number(held) }));
	`;
	const capless = ["setpriv", "--bounding-set", "-sys_resource"];
	const shell = ["bash", "-c", `${limits}; exec "$0" "$@"`, ...capless, process.execPath, "-e", program];
	const ran = Bun.spawnSync(shell, { stdout: "pipe", stderr: "pipe" });
	return JSON.parse(ran.stdout.toString());
}

test("the limit is raised as far as it may be, and never lowered", () => {
	expect(raise("ulimit -n 60", 1024)).toEqual({ soft: 60, held: 60 });
	// The runtime itself raises the soft limit to the hard one.
	expect(raise("ulimit -Sn 60; ulimit -Hn 300", 1024)).toEqual({ soft: 300, held: 300 });
	expect(raise("ulimit -n 300", 100)).toEqual({ soft: 300, held: 300 });
});

test("what nobody may have is not had, and is no failure", () => {
	const most = raiseDescriptorLimit(2 ** 40);
	if (!most.ok) throw new Error(most.error);
	expect(most.soft).toBeGreaterThan(0);
	expect(most.soft).toBeLessThan(2 ** 40);
	expect(raiseDescriptorLimit(1)).toEqual(most);
});
