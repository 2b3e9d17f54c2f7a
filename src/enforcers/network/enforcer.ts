/** The network enforcer, as the registry knows it. */

import type { Enforcer } from "../contract/enforcer.ts";
import { describeNetwork, networkTelling } from "./compile/describe.ts";
import { compileNetwork } from "./compile/network.ts";
import type { NetworkPlan, RulesetForm } from "./compile/plan.ts";
import type { NetworkModel } from "./compile/program.ts";
import type { ResolveAccount } from "./compile/sender.ts";
import { type InterfaceUse, interfaceUses } from "./interfaces.ts";
import { type NetworkPolicy, networkPart } from "./model.ts";
import { networkPolicyKind } from "./parse/kinds.ts";
import { compileOptions } from "./run/compile-options.ts";
import { interfaceWarnings, lintHost, receiverWarnings, senderWarnings } from "./run/host-lint.ts";
import { judgeCalls } from "./run/judge.ts";

/** What the running half asks the compiler for. */
export interface NetworkWish {
	/** Goes into the names of objects, so that those of another time are not taken for ours. */
	readonly epoch: string;
	readonly form: RulesetForm;
	/** False where the kernel cannot count flows in sets. */
	readonly counts?: boolean;
	/** False where the kernel does not tell the control groups of sockets. */
	readonly units?: boolean;
	/** Who has a name; this host's accounts where it is left out. */
	readonly resolve?: ResolveAccount;
}

/** What the running half is given. */
export interface NetworkSent {
	/** Null when no set could be compiled; what was in force stays. */
	readonly plan: NetworkPlan | null;
	/** Names of the policies that it is made of. */
	readonly policies: readonly string[];
	/** The interfaces that policies in force and failsafe rules name. */
	readonly interfaces: readonly InterfaceUse[];
}

/** The same without what the kernel has by then: at 100 000 elements that is megabytes. */
export function withoutObjects(sent: NetworkSent): NetworkSent {
	return sent.plan === null ? sent : { ...sent, plan: { ...sent.plan, objects: [] } };
}

/** Names do not matter where nothing is loaded. */
export const anyWish: NetworkWish = { epoch: "0", form: "concatenated" };

export const networkEnforcer: Enforcer<NetworkPolicy, NetworkModel, NetworkPlan, NetworkSent, NetworkWish> = {
	name: networkPart.enforcer,
	part: networkPart,
	kinds: [networkPolicyKind],
	hostBlocks: [],
	enabled: ({ enableNetworkPolicyEnforcer }) => enableNetworkPolicyEnforcer,
	compile(policies, { config, wish, staged }) {
		const { epoch, form, counts, units, resolve } = wish ?? anyWish;
		const own = compileOptions(config, epoch, form, { counts, units });
		const options = resolve === undefined ? own : { ...own, resolve };
		const compiled = compileNetwork(policies, options, staged);
		if (!compiled.ok) return compiled;
		const { plan, model, diagnostics } = compiled;
		return { ok: true, kept: model, plan, diagnostics };
	},
	send: (plan, policies, { config: { failsafe } }) => ({
		plan,
		policies: policies.map(({ name }) => name).sort(),
		interfaces: interfaceUses(policies, failsafe),
	}),
	lintHost: (model, policies, { config, file, scope }) => [
		...(scope === "all"
			? [
					...interfaceWarnings(policies, config.failsafe, file),
					...senderWarnings(policies, file),
					...receiverWarnings(model, config, file),
				]
			: []),
		...lintHost(model, file, scope),
	],
	telling: networkTelling,
	describe: describeNetwork,
	// The thread that loaded the plan keeps it itself: see boot-state.ts.
	boot: () => ({}),
	closed: () => ({}),
	restore: () => ({ said: "", errors: [] }),
	calls: judgeCalls,
};
