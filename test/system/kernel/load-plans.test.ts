/** The kernel takes what the compiler renders: random plans, loaded in a network namespace of their own. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { planText } from "../../../src/enforcers/network/apply/table-objects.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan, RulesetForm } from "../../../src/enforcers/network/compile/plan.ts";
import { policySets } from "../../enforcers/network/compile/generate.ts";
import { options } from "../../enforcers/network/compile/options.ts";

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

const none: NetworkPlan = {
	objects: [],
	roots: { ingress: "i", egress: "e" },
	rules: [],
	elements: 0,
	allowlistMode: { ingress: false, egress: false },
	defaultDrop: { ingress: false, egress: false },
	failsafe: [],
};

/** What a table has beside its plan's objects. */
const stable = new Map(
	["counter", "set", "chain"].map((kind) => {
		const lines = planText(none, "t").match(new RegExp(`^\\t${kind} `, "gm")) ?? [];
		return [kind, lines.length] as const;
	}),
);

for (const form of ["concatenated", "nested"] satisfies RulesetForm[]) {
	test(`random plans load with exactly their objects (${form})`, () => {
		for (const policies of fc.sample(policySets, { numRuns: 25, seed: 20 })) {
			const result = compileNetwork(policies, { ...options, form });
			if (!result.ok) throw new Error(result.diagnostics[0]?.message);
			const { plan } = result;
			const { nftables } = load(planText(plan, "t"));
			const count = (kind: string) => nftables.filter((item) => kind in item).length;
			const planned = (kind: string) => plan.objects.filter((object) => object.kind === kind).length;
			const kinds = ["counter", "set", "map", "chain"];
			const leaving = plan.egressHook === "postrouting" ? 1 : 0;
			expect(kinds.map((kind) => count(kind) - planned(kind))).toEqual(
				kinds.map((kind) => (stable.get(kind) ?? 0) + (kind === "chain" ? leaving : 0)),
			);
		}
	});
}
