/** The daemon as a whole: how soon it enforces, and what it holds. */

import { readdirSync, readFileSync } from "node:fs";
import { block, policy, port } from "../test/system/support/case.ts";
import { Daemon, Home } from "../test/system/support/daemon.ts";
import { eventually, Lab } from "../test/system/support/netns.ts";
import { atMost, type Figure, median, quantity, rounds } from "./report.ts";

/** src/source/watch.ts waits this long for a burst of changes to end; it is no part of the work. */
const debounceMs = 100;

const files = 1_000;
const blocked = 100_000;
const warmUp = 20;
const reloads = 500;

function smallPolicy(index: number, destination: number): string {
	return policy(`policy-${index}`, {
		action: "Block",
		ingress: [{ from: [block(`10.${index >> 8}.${index & 255}.0/24`)], ports: [port("TCP", destination)] }],
	});
}

/** Kilobytes of a field of /proc/PID/status, as megabytes. */
export function memory(pid: number, field: "VmRSS" | "VmHWM"): number {
	const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "mu").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
	return Number(found?.[1] ?? Number.NaN) / 1024;
}

async function startToEnforcing(): Promise<Figure> {
	const times: number[] = [];
	for (let round = 0; round < rounds; round++) {
		using lab = await Lab.create();
		using home = new Home();
		for (let index = 0; index < 10; index++) home.put(`${index}.json`, smallPolicy(index, 80));
		const start = performance.now();
		await using daemon = await Daemon.start(lab.guarded, {}, home);
		times.push(performance.now() - start);
		if ((await daemon.status()).enforcers.network.state !== "active")
			throw new Error("ready, but not enforcing");
	}
	return quantity("from the start to enforcing 10 policies", median(times), "ms", 500);
}

async function oneFileAmongMany(): Promise<Figure> {
	using lab = await Lab.create();
	using home = new Home();
	for (let index = 0; index < files; index++) home.put(`${index}.json`, smallPolicy(index, 80));
	await using daemon = await Daemon.start(lab.guarded, {}, home);
	const times: number[] = [];
	for (let round = 0; round < rounds; round++) {
		const { generation } = (await daemon.status()).enforcers.network;
		const start = performance.now();
		home.put("500.json", smallPolicy(500, 1000 + round));
		await eventually(
			"the change",
			async () => (await daemon.status()).enforcers.network.generation > generation,
		);
		times.push(performance.now() - start - debounceMs);
	}
	return quantity(`one file changed among ${files}, without the debounce`, median(times), "ms", 200);
}

/** Seconds after the start at which nothing of it is left to do, and seconds in which wakes are counted. */
const restAfter = 90;
const countFor = 60;

/** How often all threads of a process went to sleep so far, which is how often they woke up. */
function sleeps(pid: number): number {
	const threads = readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/status`);
	return threads.reduce((sum, path) => {
		const found = /^voluntary_ctxt_switches:\s+(\d+)/mu.exec(readFileSync(path, "utf8"));
		return sum + Number(found?.[1] ?? Number.NaN);
	}, 0);
}

/** With all settings as they are by default. On a machine with other work, locks are waited for, and count as wakes. */
async function idleFigures(): Promise<Figure[]> {
	using lab = await Lab.create();
	using home = new Home();
	home.put("one.json", smallPolicy(0, 80));
	await using daemon = await Daemon.start(lab.guarded, {}, home);
	await Bun.sleep(restAfter * 1000);
	const before = sleeps(daemon.pid);
	await Bun.sleep(countFor * 1000);
	const wakes = (sleeps(daemon.pid) - before) / countFor;
	const rollup = readFileSync(`/proc/${daemon.pid}/smaps_rollup`, "utf8");
	const dirty = Number(/^Private_Dirty:\s+(\d+) kB/mu.exec(rollup)?.[1] ?? Number.NaN) / 1024;
	return [
		quantity("wakes when idle", wakes, "a second", 1),
		quantity("memory of its own when idle", dirty, "MB", 30),
	];
}

async function memoryFigures(): Promise<Figure[]> {
	using lab = await Lab.create();
	using home = new Home();
	home.put("one.json", smallPolicy(0, 80));
	await using daemon = await Daemon.start(lab.guarded, {}, home);
	await settle(daemon.pid);
	const idle = memory(daemon.pid, "VmRSS");
	const cidrs = Array.from({ length: blocked }, (_, index) =>
		block(`10.${index >> 14}.${(index >> 6) & 255}.${(index & 63) * 4}/31`),
	);
	const start = performance.now();
	home.put("blocklist.json", policy("blocklist", { action: "Block", ingress: [{ from: cidrs }] }));
	await eventually(
		"the blocklist",
		async () => (await daemon.status()).enforcers.network.elements >= blocked,
		120_000,
	);
	const loaded = performance.now() - start;
	await settle(daemon.pid);
	return [
		quantity("memory when idle", idle, "MB", 70),
		quantity(`memory at its peak with ${blocked} CIDRs`, memory(daemon.pid, "VmHWM"), "MB", null),
		quantity(`memory settled with ${blocked} CIDRs`, memory(daemon.pid, "VmRSS"), "MB", 250),
		quantity(`${blocked} CIDRs from the file to the kernel`, loaded, "ms", null),
	];
}

/** As policies that are renamed and changed all day long leave it. */
async function memoryAfterReloads(): Promise<Figure> {
	using lab = await Lab.create();
	using home = new Home();
	const change = (index: number) =>
		home.put(
			"one.json",
			policy(`name-${index}`, { action: "Block", ingress: [{ ports: [port("TCP", 1 + index)] }] }),
		);
	change(0);
	await using daemon = await Daemon.start(lab.guarded, {}, home);
	const settled: number[] = [];
	for (let index = 1; index <= reloads; index++) {
		await daemon.after(() => change(index));
		if (index !== warmUp && index !== reloads) continue;
		await settle(daemon.pid);
		settled.push(memory(daemon.pid, "VmRSS"));
	}
	const [first = Number.NaN, last = Number.NaN] = settled;
	return atMost(`memory settled after ${reloads} reloads, of that after ${warmUp}`, last / first, 1.3);
}

/** Waits until memory has stopped shrinking: the same to a megabyte for five seconds. */
export async function settle(pid: number): Promise<void> {
	let since = performance.now();
	let last = memory(pid, "VmRSS");
	await eventually(
		"settled memory",
		async () => {
			await Bun.sleep(250);
			const now = memory(pid, "VmRSS");
			if (Math.abs(now - last) > 1) {
				since = performance.now();
				last = now;
			}
			return performance.now() - since > 5_000;
		},
		60_000,
	);
}

export async function daemonFigures(): Promise<Figure[]> {
	return [
		await startToEnforcing(),
		await oneFileAmongMany(),
		...(await idleFigures()),
		...(await memoryFigures()),
		await memoryAfterReloads(),
	];
}
