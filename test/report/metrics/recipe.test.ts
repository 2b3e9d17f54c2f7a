/** CONTRIBUTING.md's recipe for a group of metrics, followed in a copy of the sources: three of them are enough. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

// A busy machine takes its time to check types.
setDefaultTimeout(180_000);

const root = resolve(import.meta.dir, "../../..");
let copy: string;
beforeAll(() => {
	copy = mkdtempSync(join(tmpdir(), "portward-recipe-"));
	for (const folder of ["src", "ffi"]) cpSync(join(root, folder), join(copy, folder), { recursive: true });
	cpSync(join(root, "package.json"), join(copy, "package.json"));
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** The group's own file, in `folder`. */
function group(folder: string): string {
	const metrics = folder === "src/report/metrics" ? "." : "../../../../report/metrics";
	return `import { type MetricGroup, one } from "${metrics}/group.ts";

export const probeMetrics: MetricGroup<{ readonly probes: number }> = [
	{
		name: "portward_probes_total",
		type: "counter",
		help: "Probes.",
		labels: [],
		since: "0.2.0",
		samples: ({ probes }) => one(probes),
	},
];
`;
}

type Places = readonly (readonly [path: string, after: string, line: string])[];

/** Writes after each of these places what the recipe says; the files that were touched. */
function edit(places: Places): string[] {
	for (const [path, after, line] of places) {
		const text = readFileSync(join(copy, path), "utf8");
		expect(text.split(after)).toHaveLength(2);
		writeFileSync(join(copy, path), text.replace(after, `${after}\n${line}`));
	}
	return places.map(([path]) => path);
}

function add(folder: string): string {
	const own = `${folder}/probe-metrics.ts`;
	writeFileSync(join(copy, own), group(folder));
	return own;
}

/** What the compiler has to say of a file and all that it needs. */
function typeErrors(path: string): string {
	const project = { extends: join(root, "tsconfig.json"), include: [path] };
	writeFileSync(join(copy, "tsconfig.json"), JSON.stringify(project));
	const tsc = Bun.spawnSync([join(root, "node_modules/.bin/tsc"), "--noEmit", "-p", copy]);
	return tsc.stdout.toString();
}

/** What a program in the copy prints; in a process of its own, as the copy's coverage is nobody's business. */
function run(program: string): string {
	writeFileSync(join(copy, "run.ts"), program);
	const { stdout, stderr } = Bun.spawnSync([process.execPath, join(copy, "run.ts")]);
	return stdout.toString() + stderr.toString();
}

describe("a group of metrics touches three sources", () => {
	test("of the daemon: its own, the list with its input, and who gives the figure", () => {
		const list = "src/report/metrics/metrics.ts";
		const daemon = "src/daemon/daemon-metrics.ts";
		const own = add("src/report/metrics");
		const listed = edit([
			[list, "Pure. */", 'import { probeMetrics } from "./probe-metrics.ts";'],
			[list, "export interface MetricsInput {", "readonly probes: number;"],
			[list, "groups: readonly MetricGroup<MetricsInput>[] = [", "probeMetrics,"],
		]);
		expect(typeErrors(daemon)).toContain("'probes' is missing");
		const filled = edit([[daemon, "return renderMetrics({", "probes: 7,"]]);
		expect(new Set([own, ...listed, ...filled]).size).toBeLessThanOrEqual(3);
		expect(typeErrors(daemon)).toBe("");
		expect(
			run(`
import { daemonMetrics } from "./${daemon}";
import { metricsInput } from "${root}/test/report/metrics/input.ts";
const { state, reloads, changes } = metricsInput();
const sink = { counts: () => [], kinds: () => [], dropped: () => ({}), retire: () => {}, retired: 0 };
const attempts = { results: reloads.results, duration: () => reloads.duration };
console.log(daemonMetrics({ state, config: { enforcement: "enforce" }, commit: "", sink, attempts, pending: { counts: changes } }));
`),
		).toContain("\nportward_probes_total 7\n");
	});

	test("of an enforcer: its own, the enforcer's list with its snapshot, and who fills that", () => {
		const list = "src/enforcers/network/report/network-report.ts";
		const filler = "src/enforcers/network/run/network-state.ts";
		const own = add("src/enforcers/network/report/metrics");
		const touched = edit([
			[list, "Pure. */", 'import { probeMetrics } from "./metrics/probe-metrics.ts";'],
			[list, "ForwardingFacts,\n\t\tObservingFacts {", "readonly probes: number;"],
			[list, "networkGroups: readonly MetricGroup<NetworkSnapshot>[] = [", "probeMetrics,"],
			[
				filler,
				"export function networkSnapshot(parts: NetworkParts): NetworkSnapshot {",
				"const probes = 7;",
			],
			[filler, "		inForce: enforcer.inForce,", "probes,"],
		]);
		expect(new Set([own, ...touched]).size).toBeLessThanOrEqual(3);
		expect(typeErrors(filler)).toBe("");
		expect(
			run(`
import { networkReport } from "./${list}";
import { sampleNetwork } from "${root}/test/report/sample.ts";
const families = networkReport({ ...sampleNetwork, probes: 7 }).families();
console.log(JSON.stringify(families.find(({ name }) => name === "portward_probes_total").samples));
`),
		).toBe('[{"labels":{},"value":7}]\n');
	});
});
