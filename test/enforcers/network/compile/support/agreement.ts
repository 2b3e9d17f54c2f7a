/** What random sets that name accounts are held to: the model against the oracle, and the rules' text against the model. */

import { expect } from "bun:test";
import { planText } from "../../../../../src/enforcers/network/apply/table-objects.ts";
import { type CompileOptions, compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { decidePacket } from "../../../../../src/enforcers/network/compile/program.ts";
import type { ResolveAccount } from "../../../../../src/enforcers/network/compile/sender.ts";
import { explain } from "../../../../../src/enforcers/network/compile/verdict/explain.ts";
import type { NetworkPolicy } from "../../../../../src/enforcers/network/model.ts";
import { accounts } from "../generate.ts";
import { options } from "../options.ts";
import { judge, type OraclePacket } from "../oracle.ts";
import { parseTable, simulate } from "../simulate.ts";

const resolve: ResolveAccount = (kind, name) => (kind === "service" ? 0 : (accounts[name] ?? null));

function compiled(policies: readonly NetworkPolicy[], changes: Partial<CompileOptions>) {
	const result = compileNetwork(policies, { ...options, resolve, ...changes });
	if (!result.ok) throw new Error(result.diagnostics[0]?.message);
	return result;
}

/** In verdict and attribution. */
export function expectOracle(
	policies: readonly NetworkPolicy[],
	packets: readonly OraclePacket[],
	posture: "audit" | "block",
): void {
	const { model } = compiled(policies, { posture });
	for (const packet of packets) {
		const { action, rule } = decidePacket(model, packet);
		expect({ action, policy: rule?.policy ?? null, index: rule?.index ?? -1 }).toEqual(
			judge(policies, { posture, allowlistScope: "direction", accounts }, packet),
		);
		expect(explain(model, packet).rule).toBe(rule);
	}
}

export function expectText(
	policies: readonly NetworkPolicy[],
	packets: readonly OraclePacket[],
	form: CompileOptions["form"],
): void {
	const { model, plan } = compiled(policies, { form });
	const table = parseTable(planText(plan, "t"));
	for (const packet of packets) {
		const { action, rule } = decidePacket(model, packet);
		expect(simulate(table, packet)).toEqual({
			verdict: action === "Block" ? "drop" : "accept",
			rule: rule?.id ?? null,
		});
	}
}
