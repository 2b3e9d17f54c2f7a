/** What `portward simulate` costs: many flows out of a file against many rules, from their texts to the answer. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executable } from "../test/system/support/built.ts";
import { policies, randomNumbers } from "./diff.ts";
import { type Figure, median, quantity, rounds } from "./report.ts";

/** Flows of few services from everywhere, every tenth of them a block of merged ones. */
function flows(count: number): string {
	const random = randomNumbers(3);
	const list = Array.from({ length: count }, (_, index) => {
		const merged = index % 10 === 0;
		const octets = [10, random(256), random(256), merged ? 0 : random(256)].join(".");
		const direction = random(2) === 0 ? "ingress" : "egress";
		return {
			direction,
			protocol: random(2) === 0 ? "tcp" : "udp",
			remote: merged ? `${octets}/24` : octets,
			port: 1 + random(1024),
			interface: `eth${random(4)}`,
			hook: direction === "ingress" ? "input" : "output",
			guest: null,
			action: random(8) === 0 ? "Block" : "Allow",
			policy: null,
			count: 1 + random(1000),
			bytes: null,
			firstSeen: "2026-11-01T00:00:00.000Z",
			lastSeen: "2026-11-30T00:00:00.000Z",
			new: false,
		};
	});
	return JSON.stringify({ since: "2026-11-01T00:00:00.000Z", flows: list, merged: 0, lost: 0 });
}

/** Of the whole command, so that whatever else the machine does is not counted. */
function cpuSeconds(argv: readonly string[]): number {
	const ended = Bun.spawnSync([executable(), ...argv], { stdout: "pipe", stderr: "pipe" });
	if (ended.exitCode !== 0 && ended.exitCode !== 2)
		throw new Error(`portward simulate: exit ${ended.exitCode}: ${ended.stderr.toString().slice(0, 500)}`);
	return Number(ended.resourceUsage.cpuTime.total) / 1e6;
}

export async function simulateFigures(): Promise<Figure[]> {
	const home = mkdtempSync(join(tmpdir(), "portward-bench-"));
	try {
		const config = join(home, "config.yaml");
		writeFileSync(config, "{}\n");
		const directory = join(home, "new");
		mkdirSync(directory);
		writeFileSync(join(directory, "p.json"), policies(1_000, 0));
		const seen = join(home, "flows.json");
		writeFileSync(seen, flows(100_000));
		const argv = ["simulate", "--policy-dir", directory, "--from", seen, "--config", config, "--json"];
		const times = Array.from({ length: rounds }, () => cpuSeconds(argv));
		return [quantity("100 000 aggregated flows against 1000 rules, CPU", median(times), "s", 2)];
	} finally {
		rmSync(home, { recursive: true });
	}
}
