import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { explain } from "../../src/compile/explain.ts";
import { type CompileOptions, compileNetwork } from "../../src/compile/network.ts";
import { decidePacket } from "../../src/compile/program.ts";
import { renderPlan } from "../../src/compile/render.ts";
import { packets, policySets } from "./generate.ts";
import { judge } from "./oracle.ts";
import { parseTable, simulate } from "./simulate.ts";

export const options: CompileOptions = {
	epoch: "e1",
	posture: "block",
	allowlistScope: "direction",
	essentials: true,
	nflogGroup: 33,
	maxElements: 1_000_000,
	form: "concatenated",
	logLimit: { rate: 100, burst: 200 },
};

describe("random policies", () => {
	test("the model and explain agree with the brute-force oracle in verdict and attribution", () => {
		fc.assert(
			fc.property(
				policySets,
				fc.array(packets, { minLength: 20, maxLength: 40 }),
				fc.constantFrom("audit", "block" as const),
				fc.constantFrom("direction", "host" as const),
				(policies, sample, posture, allowlistScope) => {
					const result = compileNetwork(policies, { ...options, posture, allowlistScope });
					if (!result.ok) throw new Error(result.diagnostics[0]?.message);
					for (const packet of sample) {
						const expected = judge(policies, { posture, allowlistScope }, packet);
						const { action, rule } = decidePacket(result.model, packet);
						const found = { action, policy: rule?.policy ?? null, index: rule?.index ?? -1 };
						expect(found).toEqual(expected);
						expect(explain(result.model, packet).rule).toBe(rule);
					}
				},
			),
			{ numRuns: 1500 },
		);
	});

	for (const form of ["concatenated", "nested"] as const) {
		test(`the rendered text decides as the model does (${form})`, () => {
			fc.assert(
				fc.property(policySets, fc.array(packets, { minLength: 20, maxLength: 40 }), (policies, sample) => {
					const result = compileNetwork(policies, { ...options, form });
					if (!result.ok) throw new Error(result.diagnostics[0]?.message);
					const table = parseTable(renderPlan(result.plan, "t"));
					for (const packet of sample) {
						const { action, rule } = decidePacket(result.model, packet);
						const found = simulate(table, result.plan.roots[packet.direction], packet);
						expect(found).toEqual({
							verdict: action === "Block" ? "drop" : "accept",
							rule: rule?.id ?? null,
						});
					}
				}),
				{ numRuns: 700 },
			);
		});
	}
});
