/** CPU time of `portward diff` and `search` between two sets of policies, from their texts to the answer. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executable } from "../test/system/support/built.ts";
import { type Figure, median, quantity, rounds } from "./report.ts";

/** A linear congruential generator, so that every run compares the same. */
export function randomNumbers(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}

const actions = ["Allow", "Audit", "Block"] as const;

/** Rules over blocks of many sizes that lie in each other, ports and ranges of both directions, a few interfaces. */
export function policies(count: number, changed: number): string {
	const random = randomNumbers(7);
	const other = randomNumbers(11);
	const rules = { ingress: [] as unknown[], egress: [] as unknown[] };
	for (let index = 0; index < count; index++) {
		const prefix = 12 + random(21);
		const address = ((10 << 24) | random(2 ** 24)) >>> 0;
		const base = prefix === 32 ? address : (address >>> (32 - prefix)) << (32 - prefix);
		const octets = [24, 16, 8, 0].map((shift) => (base >>> shift) & 0xff).join(".");
		const first = 1 + random(60_000);
		const ports =
			random(3) === 0 ? { port: first, endPort: first + random(1000) } : { port: 1 + random(1024) };
		const end = { ipBlock: { cidr: `${octets}/${prefix}` } };
		const direction = random(2) === 0 ? "ingress" : "egress";
		const action = actions[index < changed ? other(3) : random(3)];
		rules[direction].push({
			action,
			[direction === "ingress" ? "from" : "to"]: [end],
			...(random(5) === 0 ? {} : { ports: [{ protocol: random(2) === 0 ? "TCP" : "UDP", ...ports }] }),
			...(random(20) === 0 ? { iface: [`eth${random(3)}`] } : {}),
		});
	}
	const pieces: unknown[] = [];
	for (const direction of ["ingress", "egress"] as const) {
		for (let from = 0; from < rules[direction].length; from += 500) {
			pieces.push({
				apiVersion: "security.kubearmor.com/v1",
				kind: "KubeArmorNetworkPolicy",
				metadata: { name: `${direction}-${from}` },
				spec: {
					nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" } },
					action: "Audit",
					[direction]: rules[direction].slice(from, from + 500),
				},
			});
		}
	}
	return JSON.stringify({ apiVersion: "v1", kind: "List", items: pieces });
}

/** Seconds of the whole command. */
function timed(argv: readonly string[], codes: readonly number[]): number {
	const start = performance.now();
	const ended = Bun.spawnSync([executable(), ...argv], { stdout: "pipe", stderr: "pipe" });
	if (!codes.includes(ended.exitCode))
		throw new Error(`portward ${argv[0]}: exit ${ended.exitCode}: ${ended.stderr.toString().slice(0, 500)}`);
	return (performance.now() - start) / 1000;
}

/** Rules on each side, and the seconds that a comparison of them may take. */
const sizes = [
	[1_000, 2],
	[10_000, 20],
] as const;

export async function diffFigures(): Promise<Figure[]> {
	const home = mkdtempSync(join(tmpdir(), "portward-bench-"));
	try {
		const empty = join(home, "config.yaml");
		writeFileSync(empty, "{}\n");
		return sizes.flatMap(([count, limit]) => {
			const [before, after] = ["before", "after"].map((name) => join(home, `${name}-${count}`));
			if (before === undefined || after === undefined) throw new Error("two names are two paths");
			for (const [directory, changed] of [
				[before, 0],
				[after, count / 10],
			] as const) {
				mkdirSync(directory);
				writeFileSync(join(directory, "p.json"), policies(count, changed));
			}
			const diffs = Array.from({ length: rounds }, () =>
				timed(["diff", before, after, "--config", empty, "--json"], [2]),
			);
			const query = ["search", "ingress tcp 22 from 192.0.2.0/24 verdict=Audit", "--policy-dir", before];
			const searches = Array.from({ length: rounds }, () => timed([...query, "--config", empty], [0, 2]));
			const what = `${count} rules against ${count}`;
			return [
				quantity(`diff of ${what}`, median(diffs), "s", limit),
				quantity(`search in ${count} rules`, median(searches), "s", limit),
			];
		});
	} finally {
		rmSync(home, { recursive: true });
	}
}
