/** Who sends, as one more dimension: the compiler against the brute-force oracle, and the text that it writes against both. */

import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { planText } from "../../../../src/enforcers/network/apply/table-objects.ts";
import { type CompileOptions, compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { decidePacket } from "../../../../src/enforcers/network/compile/program.ts";
import type { ResolveAccount } from "../../../../src/enforcers/network/compile/sender.ts";
import { explain } from "../../../../src/enforcers/network/compile/verdict/explain.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { accounts, packets, senderSets, senders } from "./generate.ts";
import { options } from "./options.ts";
import { judge, type OraclePacket } from "./oracle.ts";
import { parseTable, simulate } from "./simulate.ts";

setDefaultTimeout(180_000);

const resolve: ResolveAccount = (kind, name) => (kind === "service" ? 0 : (accounts[name] ?? null));

function compiled(policies: readonly NetworkPolicy[], changes: Partial<CompileOptions> = {}) {
	const result = compileNetwork(policies, { ...options, resolve, ...changes });
	if (!result.ok) throw new Error(result.diagnostics[0]?.message);
	return result;
}

const sent: fc.Arbitrary<OraclePacket> = fc
	.tuple(packets, senders)
	.map(([packet, sender]) => ({ ...packet, direction: "egress", sender }));

const sample = fc.array(sent, { minLength: 20, maxLength: 40 });

test("the model and explain agree with the oracle about every sender", () => {
	fc.assert(
		fc.property(
			senderSets,
			sample,
			fc.constantFrom("audit", "block" as const),
			(policies, drawn, posture) => {
				const meaning = { posture, allowlistScope: "direction", accounts } as const;
				const { model } = compiled(policies, { posture });
				for (const packet of drawn) {
					const { action, rule } = decidePacket(model, packet);
					expect({ action, policy: rule?.policy ?? null, index: rule?.index ?? -1 }).toEqual(
						judge(policies, meaning, packet),
					);
					expect(explain(model, packet).rule).toBe(rule);
				}
			},
		),
		{ numRuns: 150 },
	);
});

test.each(["concatenated", "nested"] as const)("the text decides as the model does (%s)", (form) => {
	fc.assert(
		fc.property(senderSets, sample, (policies, drawn) => {
			const { model, plan } = compiled(policies, { form });
			const table = parseTable(planText(plan, "t"));
			for (const packet of drawn) {
				const { action, rule } = decidePacket(model, packet);
				expect(simulate(table, packet)).toEqual({
					verdict: action === "Block" ? "drop" : "accept",
					rule: rule?.id ?? null,
				});
			}
		}),
		{ numRuns: 60 },
	);
});
