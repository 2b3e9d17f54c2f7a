import { expect, test } from "bun:test";
import fc from "fast-check";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan, RulesetForm } from "../../../../../src/enforcers/network/compile/plan.ts";
import { inEpoch } from "../../../../../src/enforcers/network/compile/render/objects.ts";
import type { NetworkPolicy } from "../../../../../src/enforcers/network/model.ts";
import { policySets } from "../generate.ts";
import { options } from "../options.ts";

function compiled(policies: readonly NetworkPolicy[], epoch: string, form: RulesetForm): NetworkPlan {
	const result = compileNetwork(policies, { ...options, epoch, form });
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	return result.plan;
}

test("a renamed plan is what the other epoch would have compiled", () => {
	fc.assert(
		fc.property(policySets, fc.constantFrom<RulesetForm>("concatenated", "nested"), (policies, form) => {
			const first = compiled(policies, "first", form);
			const second = compiled(policies, "second", form);
			expect(inEpoch(first, "second")).toEqual(second);
			expect(inEpoch(second, "second")).toEqual(second);
			const names = new Set(
				first.objects
					.filter(({ kind, name }) => kind !== "counter" && !name.startsWith("seen_"))
					.map(({ name }) => name),
			);
			expect(second.objects.filter(({ name }) => names.has(name))).toEqual([]);
		}),
		{ numRuns: 60 },
	);
});
