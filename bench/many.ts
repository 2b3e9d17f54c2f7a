/** What a change costs among ten thousand policy files, and in a file of 100 000 addresses. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../test/system/support/built.ts";
import { Daemon, Home } from "../test/system/support/daemon.ts";
import { eventually, Lab, spawnBound } from "../test/system/support/netns.ts";
import { memory, settle } from "./daemon.ts";
import { blocklistFile, manyBlocks, manyFiles, policyFile, rulesPerFile } from "./many-cases.ts";
import { type Figure, median, quantity, rounds } from "./report.ts";

/** Beyond any target; what takes longer than this is broken. */
const patienceMs = 180_000;

/** Rulesets enforced so far, as the log tells: the status of so many policies would be work of its own. */
export function enforced(daemon: Daemon): number {
	return daemon.log.split(" info enforced").length - 1;
}

/** Seconds until the daemon has enforced what `change` made. */
async function untilEnforced(daemon: Daemon, change: () => Promise<void> | void): Promise<number> {
	const before = enforced(daemon);
	const start = performance.now();
	const done = change();
	await eventually("the change", () => enforced(daemon) > before, patienceMs);
	const seconds = (performance.now() - start) / 1000;
	await done;
	return seconds;
}

/** Seconds that a command of the executable takes; it must succeed. */
async function command(lab: Lab, home: Home, ...args: readonly string[]): Promise<number> {
	const start = performance.now();
	const argv = [executable(), ...args, "--config", home.config];
	const child = spawnBound(lab.guarded.inside(argv));
	const [, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	if (code !== 0) throw new Error(`portward ${args.join(" ")}: ${error.slice(0, 1000)}`);
	return (performance.now() - start) / 1000;
}

function fill(directory: string, changed: number): void {
	mkdirSync(directory, { recursive: true });
	for (let index = 0; index < manyFiles; index++) {
		const port = index === changed ? 81 : 80;
		writeFileSync(join(directory, `${index}.yaml`), policyFile(index, port));
	}
}

async function manyFilesFigures(): Promise<Figure[]> {
	const starts: number[] = [];
	const peaks: number[] = [];
	for (let round = 0; round < rounds; round++) {
		// As on a new host: nothing is known of an earlier run.
		using lab = await Lab.create();
		using home = new Home();
		fill(home.policies, -1);
		const start = performance.now();
		await using daemon = Daemon.spawn(lab.guarded, {}, home);
		await eventually("the start", () => enforced(daemon) > 0, patienceMs);
		starts.push((performance.now() - start) / 1000);
		peaks.push(memory(daemon.pid, "VmHWM"));
	}
	using lab = await Lab.create();
	using home = new Home();
	fill(home.policies, -1);
	await using daemon = Daemon.spawn(lab.guarded, {}, home);
	await eventually("the start", () => enforced(daemon) > 0, patienceMs);
	await settle(daemon.pid);
	const settled = memory(daemon.pid, "VmRSS");
	const changes: number[] = [];
	for (let round = 0; round < rounds; round++) {
		changes.push(await untilEnforced(daemon, () => home.put("500.yaml", policyFile(500, 2000 + round))));
		await settle(daemon.pid);
	}
	const after = memory(daemon.pid, "VmRSS");
	const other = join(home.path, "other");
	fill(other, 700);
	const plans: number[] = [];
	for (let round = 0; round < rounds; round++)
		plans.push(await command(lab, home, "plan", "--policy-dir", other));
	const applies: number[] = [];
	for (let round = 0; round < rounds; round++) {
		const apply = async () => void (await command(lab, home, "apply", "--policy-dir", other));
		applies.push(await untilEnforced(daemon, apply));
		await untilEnforced(daemon, async () => void (await command(lab, home, "rollback")));
	}
	const peak = memory(daemon.pid, "VmHWM");
	const of = `${manyFiles} files of ${rulesPerFile} rules`;
	return [
		quantity(`${of}: start to enforcing`, median(starts), "s", 5),
		quantity(`${of}: one changed file to enforced`, median(changes), "s", 0.5),
		quantity(`${of}: portward plan`, median(plans), "s", 4),
		quantity(`${of}: portward apply to enforced`, median(applies), "s", 10),
		quantity(`${of}: memory at its peak at the start`, median(peaks), "MB", 600),
		quantity(`${of}: memory at its peak, changes and apply included`, peak, "MB", 600),
		quantity(`${of}: memory settled after the start`, settled, "MB", 200),
		quantity(`${of}: memory settled after changes`, after, "MB", 200),
	];
}

async function manyBlocksFigures(): Promise<Figure[]> {
	using lab = await Lab.create();
	using home = new Home();
	home.put("blocklist.json", blocklistFile(252));
	await using daemon = Daemon.spawn(lab.guarded, {}, home);
	await eventually("the start", () => enforced(daemon) > 0, patienceMs);
	const changes: number[] = [];
	for (let round = 0; round < rounds; round++) {
		await settle(daemon.pid);
		changes.push(await untilEnforced(daemon, () => home.put("blocklist.json", blocklistFile(100 + round))));
	}
	const peak = memory(daemon.pid, "VmHWM");
	await settle(daemon.pid);
	const of = `a file of ${manyBlocks} addresses`;
	return [
		quantity(`${of}: one changed line to enforced`, median(changes), "s", 2.5),
		quantity(`${of}: memory at its peak`, peak, "MB", 600),
		quantity(`${of}: memory settled`, memory(daemon.pid, "VmRSS"), "MB", null),
	];
}

export async function manyFigures(): Promise<Figure[]> {
	return [...(await manyFilesFigures()), ...(await manyBlocksFigures())];
}
