/** Ends of IPv6 addresses, as one more dimension: the compiler against the brute-force oracle, and its text against both. */

import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { planText } from "../../../../src/enforcers/network/apply/table-objects.ts";
import { type CompileOptions, compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { decidePacket } from "../../../../src/enforcers/network/compile/program.ts";
import type { ResolveAccount } from "../../../../src/enforcers/network/compile/sender.ts";
import { explain } from "../../../../src/enforcers/network/compile/verdict/explain.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { accounts, senders, withSenders } from "./generate.ts";
import { suffixPackets, suffixSets } from "./generate-suffixes.ts";
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

const sample = fc.array(suffixPackets, { minLength: 20, maxLength: 40 });

function agrees(
	policies: readonly NetworkPolicy[],
	drawn: readonly OraclePacket[],
	posture: "audit" | "block",
) {
	const { model } = compiled(policies, { posture });
	for (const packet of drawn) {
		const { action, rule } = decidePacket(model, packet);
		expect({ action, policy: rule?.policy ?? null, index: rule?.index ?? -1 }).toEqual(
			judge(policies, { posture, allowlistScope: "direction", accounts }, packet),
		);
		expect(explain(model, packet).rule).toBe(rule);
	}
}

const postures = fc.constantFrom("audit", "block" as const);

test("the model and explain agree with the oracle about every address, whatever the order of the policies", () => {
	fc.assert(
		fc.property(suffixSets, sample, postures, (policies, drawn, posture) => {
			agrees(policies, drawn, posture);
			agrees(policies.toReversed(), drawn.slice(0, 5), posture);
		}),
		{ numRuns: 150 },
	);
});

test("also where rules name senders beside them", () => {
	const sent = fc
		.array(fc.tuple(suffixPackets, senders), { minLength: 20, maxLength: 40 })
		.map((all) => all.map(([packet, sender]): OraclePacket => ({ ...packet, direction: "egress", sender })));
	fc.assert(fc.property(withSenders(suffixSets), sent, postures, agrees), { numRuns: 40 });
});

test.each(["concatenated", "nested"] as const)("the text decides as the model does (%s)", (form) => {
	fc.assert(
		fc.property(suffixSets, sample, (policies, drawn) => {
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
