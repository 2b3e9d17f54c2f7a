/** The kernel takes what the compiler renders: random plans, loaded in a network namespace of their own. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { compileNetwork } from "../../src/compile/network.ts";
import type { RulesetForm } from "../../src/compile/plan.ts";
import { renderPlan } from "../../src/compile/render.ts";
import { policySets } from "../compile/generate.ts";
import { options } from "../compile/options.ts";

interface Listed {
	readonly nftables: readonly Readonly<Record<string, unknown>>[];
}

/** Loads a table in a new network namespace and returns what the kernel then lists. */
function load(text: string): Listed {
	const { stdout, stderr, exitCode } = Bun.spawnSync(
		["unshare", "-n", "sh", "-c", "nft -f /dev/stdin && nft -j list table inet t"],
		{ stdin: Buffer.from(text) },
	);
	if (exitCode !== 0) throw new Error(`${stderr.toString().slice(0, 1000)}\n${text}`);
	return JSON.parse(stdout.toString());
}

for (const form of ["concatenated", "nested"] satisfies RulesetForm[]) {
	test(`random plans load with exactly their objects (${form})`, () => {
		for (const policies of fc.sample(policySets, { numRuns: 25, seed: 20 })) {
			const result = compileNetwork(policies, { ...options, form });
			if (!result.ok) throw new Error(result.diagnostics[0]?.message);
			const { plan } = result;
			const { nftables } = load(renderPlan(plan, "t"));
			const count = (kind: string) => nftables.filter((item) => kind in item).length;
			const planned = (kind: string) => plan.objects.filter((object) => object.kind === kind).length;
			// Beside the plan's: the two base chains, and the two for connections that were ended.
			expect([count("counter"), count("set"), count("map"), count("chain")]).toEqual([
				planned("counter"),
				planned("set"),
				planned("map"),
				planned("chain") + 4,
			]);
		}
	}, 120_000);
}
