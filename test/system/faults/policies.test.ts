/** Policy directories that nobody meant to be so: very many files, a huge one, one that unfolds. */

import { expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { block, policy } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();

const mebibyte = 1024 * 1024;

/** On a quiet machine 10 000 files take 5 s; this one may have other things to do. */
const patienceMs = 90_000;

/** Which of these are blocked now: ports, or remote addresses. */
async function blocked<T extends number | string>(...wanted: readonly T[]): Promise<T[]> {
	const passed = await rig.prober.send(
		wanted.map((one) => ({
			direction: "ingress",
			protocol: "tcp",
			...(typeof one === "number" ? { remote: "10.1.0.10", port: one } : { remote: String(one), port: 80 }),
		})),
	);
	return wanted.filter((_, index) => !passed[index]);
}

/** Bytes of memory that the process ever had at once. */
function peakMemory(pid: number): number {
	const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
	return Number(kibibytes) * 1024;
}

/** What a daemon without the file in question takes, with the policies that are there. */
async function idlePeak(): Promise<number> {
	await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
	const peak = peakMemory(daemon.pid);
	await daemon.stop();
	return peak;
}

/** Asks for /healthz until `done`; milliseconds within which nine of ten answers came. */
async function usualAnswer(daemon: Daemon, done: () => boolean): Promise<number> {
	const deadline = performance.now() + patienceMs;
	const delays: number[] = [];
	while (!done()) {
		if (performance.now() > deadline) throw new Error(`not enforced: ${daemon.log}`);
		const asked = performance.now();
		expect((await daemon.get("/healthz")).status).toBe(200);
		delays.push(performance.now() - asked);
		await Bun.sleep(20);
	}
	return delays.toSorted((a, b) => a - b)[Math.floor(delays.length * 0.9)] ?? 0;
}

/** The diagnostics that the daemon has about one file. */
async function diagnosed(daemon: Daemon, name: string) {
	const { policies } = await daemon.status();
	return policies
		.filter((one) => one.file.endsWith(`/${name}`))
		.flatMap((one) =>
			one.diagnostics.map(({ code, severity }) => ({ code, severity, enforced: one.enforced })),
		);
}

test(
	"10 000 files are all enforced, while the daemon answers; one more is as well",
	async () => {
		const address = (index: number) => `11.${index >> 8}.${index & 255}.7`;
		for (let index = 0; index < 10_000; index++) {
			const directory = join(rig.home.policies, `team-${index >> 8}`);
			if ((index & 255) === 0) mkdirSync(directory);
			writeFileSync(
				join(directory, `${index}.yaml`),
				policy(`p${index}`, { action: "Block", ingress: [{ from: [block(`${address(index)}/32`)] }] }),
			);
		}
		await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
		await eventually(
			"an answer",
			async () => (await daemon.get("/healthz").catch(() => null))?.status === 200,
		);
		// Not by /metrics: ten thousand rules' worth of it again and again would be a load of its own.
		const enforced = () => daemon.log.split("info enforced").length - 1;
		// On a quiet machine 5 ms; reading and loading keep both cores busy.
		expect(await usualAnswer(daemon, () => enforced() === 1)).toBeLessThan(500);
		expect((await daemon.get("/readyz")).status).toBe(200);
		expect((await blocked(...Array.from({ length: 10_000 }, (_, index) => address(index)))).length).toBe(
			10_000,
		);
		expect(await blocked("11.0.0.8")).toEqual([]);
		rig.home.put("one-more.yaml", blocks("one-more", 81));
		expect(await usualAnswer(daemon, () => enforced() === 2)).toBeLessThan(500);
		expect(await blocked(81)).toEqual([81]);
	},
	2 * patienceMs,
);

test("a file of 100 MB is refused unread, and the others are enforced", async () => {
	rig.home.put("a.yaml", blocks("a", 81));
	const idle = await idlePeak();
	const fd = openSync(join(rig.home.policies, "huge.yaml"), "w", 0o644);
	const chunk = Buffer.from(`${blocks("huge", 82)}\n---\n`.repeat(8192));
	for (let written = 0; written < 100 * mebibyte; ) written += writeSync(fd, chunk);
	closeSync(fd);
	await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await daemon.active();
	expect(await blocked(81, 82)).toEqual([81]);
	expect(await diagnosed(daemon, "huge.yaml")).toEqual([
		{ code: "file-too-large", severity: "error", enforced: false },
	]);
	const ready = await daemon.get("/readyz");
	expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("huge.yaml:1")]);
	// With it read, the file alone would be as much.
	expect(peakMemory(daemon.pid)).toBeLessThan(idle + 32 * mebibyte);
	await daemon.after(() => rig.home.put("b.yaml", blocks("b", 83)));
	expect(await blocked(81, 82, 83)).toEqual([81, 83]);
	await daemon.after(() => rmSync(join(rig.home.policies, "huge.yaml")));
	expect((await daemon.get("/readyz")).status).toBe(200);
});

test("an alias bomb is refused before it unfolds, and the others are enforced", async () => {
	rig.home.put("a.yaml", blocks("a", 81));
	const idle = await idlePeak();
	const levels = Array.from({ length: 12 }, (_, level) => {
		const below = level === 0 ? '"lol"' : `*l${level - 1}`;
		return `l${level}: &l${level} [${Array(10).fill(below).join(", ")}]`;
	});
	// Ten to the power of twelve strings, where a list of rules belongs.
	const head = (name: string) =>
		`apiVersion: security.kubearmor.com/v1\nkind: KubeArmorNetworkPolicy\nmetadata: {name: ${name}}\n`;
	rig.home.put(
		"bomb.yaml",
		`${levels.join("\n")}\n${head("bomb")}spec: {nodeSelector: {matchLabels: {a: b}}, ingress: *l11}\n`,
	);
	await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await daemon.active();
	expect(await blocked(81)).toEqual([81]);
	const bomb = await diagnosed(daemon, "bomb.yaml");
	expect(bomb.some(({ severity }) => severity === "error")).toBe(true);
	expect(bomb.every(({ enforced }) => !enforced)).toBe(true);
	expect(peakMemory(daemon.pid)).toBeLessThan(idle + 32 * mebibyte);
	expect((await daemon.get("/readyz")).status).toBe(503);
});
