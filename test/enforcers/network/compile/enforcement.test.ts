import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { planText } from "../../../../src/enforcers/network/apply/table-objects.ts";
import { type CompileOptions, compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { decidePacket } from "../../../../src/enforcers/network/compile/program.ts";
import { explain } from "../../../../src/enforcers/network/compile/verdict/explain.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { packets, policySets } from "./generate.ts";
import { options } from "./options.ts";
import { parseTable, simulate } from "./simulate.ts";

// Many random cases: on a busy machine they take longer than the usual 5 s.
setDefaultTimeout(180_000);

function compiled(policies: readonly NetworkPolicy[], changes: Partial<CompileOptions>) {
	const result = compileNetwork(policies, { ...options, ...changes });
	if (!result.ok) throw new Error(result.diagnostics[0]?.message);
	return result;
}

test("with enforcement audit the same rule decides, and where it would block, it audits and says so", () => {
	fc.assert(
		fc.property(policySets, fc.array(packets, { minLength: 20, maxLength: 40 }), (policies, sample) => {
			const enforced = compiled(policies, {});
			const audited = compiled(policies, { enforcement: "audit" });
			const table = parseTable(planText(audited.plan, "t"));
			for (const packet of sample) {
				const { action, rule } = decidePacket(enforced.model, packet);
				const found = decidePacket(audited.model, packet);
				expect([found.rule?.policy, found.rule?.index]).toEqual([rule?.policy, rule?.index]);
				expect(found.action).toBe(action === "Block" ? "Audit" : action);
				expect(found.rule?.wouldBe).toBe(action === "Block" ? "Block" : undefined);
				expect(explain(audited.model, packet).rule).toBe(found.rule);
				expect(simulate(table, packet)).toEqual({
					verdict: "accept",
					rule: found.rule?.id ?? null,
				});
			}
			expect(audited.plan.defaultDrop).toEqual({ ingress: false, egress: false });
			expect(audited.plan.guard).toEqual({ ingress: [], egress: [] });
			// What passed is never counted where what was dropped was.
			const counters = new Set(
				enforced.plan.rules.filter((rule) => rule.action === "Block").map((rule) => rule.counter),
			);
			expect(audited.plan.rules.some((rule) => counters.has(rule.counter))).toBe(false);
			expect(audited.diagnostics).toEqual(enforced.diagnostics);
		}),
		{ numRuns: 120 },
	);
});
