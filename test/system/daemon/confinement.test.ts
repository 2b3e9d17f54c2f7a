/** What the running daemon gave up: the kernel's own word, for every thread. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { Lab } from "../support/netns.ts";

let lab: Lab;
beforeAll(async () => {
	lab = await Lab.create();
});
afterAll(() => lab[Symbol.dispose]());

/** A field of /proc/PID/task/TID/status for each thread. */
function fields(pid: number, name: string): string[] {
	const tasks = `/proc/${pid}/task`;
	return readdirSync(tasks).map((task) => {
		const text = readFileSync(`${tasks}/${task}/status`, "utf8");
		return text.match(new RegExp(`^${name}:\\s*(\\S+)$`, "m"))?.[1] ?? "";
	});
}

test("a daemon that enforces has every thread behind the filter, and says where it can write", async () => {
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "a.yaml": policy("a", { action: "Block", ingress: [{ ports: [port("TCP", 80)] }] }) },
	});
	const { confinement } = await daemon.status();
	expect(confinement.systemCalls).toEqual({ active: true, detail: "" });
	expect(confinement.files).toEqual({ active: true, detail: "" });
	expect(confinement.writable).toContain(dirname(daemon.home.policies));
	const filters = fields(daemon.pid, "Seccomp");
	expect(filters.length).toBeGreaterThan(5);
	expect(new Set(filters)).toEqual(new Set(["2"]));
});

test("confinement: off is an answer, not a silence", async () => {
	await using daemon = await Daemon.start(lab.guarded, { config: { confinement: "off" } });
	const { confinement } = await daemon.status();
	expect(confinement.systemCalls.active).toBe(false);
	expect(new Set(fields(daemon.pid, "Seccomp"))).toEqual(new Set(["0"]));
});
