/** `portward restore` without its words: puts back at boot what was last confirmed, before there is a network. */

import type { KernelTable } from "../enforcers/network/apply/kernel-table.ts";
import type { UsedQuotas } from "../enforcers/network/apply/used-quotas.ts";
import type { NetworkPlan } from "../enforcers/network/compile/plan.ts";
import type { BootEnd, BootRuleset } from "../engine/boot-rulesets.ts";

export type RestoreTable = Pick<KernelTable, "inspect" | "isComplete" | "apply" | "replace" | "collect">;

export type NetworkRestore =
	/** `loaded`: now. `present`: a ruleset of ours was in force already. `unfiltered`: it holds no rules for packets. */
	| { readonly result: "loaded" | "unfiltered"; readonly origin: string }
	| { readonly result: "present" }
	| { readonly result: "none"; readonly end: BootEnd };

/**
 * Loads the first ruleset that the kernel takes, unless one of ours is in force. Packets are unfiltered until all of
 * it is there, and then meet all of it; a table of ours that is incomplete is closed meanwhile.
 * @param found told of the newest ruleset that can be read, before anything is loaded: what it says about devices holds
 * also where the kernel refuses its rules.
 * @param problem told why a ruleset is passed over.
 * @param used what quotas begin with.
 */
export function restoreNetwork(
	table: RestoreTable,
	rulesets: Generator<BootRuleset, BootEnd>,
	found: (ruleset: BootRuleset) => void,
	problem: (message: string) => void,
	used: (plan: NetworkPlan) => UsedQuotas = () => ({}),
): NetworkRestore {
	const inspected = table.inspect();
	if (!inspected.ok) problem(inspected.error);
	const state = inspected.ok ? inspected.state : "absent";
	const whole = state === "ours" && table.isComplete();
	for (let first = true; ; first = false) {
		const next = rulesets.next();
		if (!next.done && first) found(next.value);
		if (whole) return { result: "present" };
		if (next.done) return { result: "none", end: next.value };
		const { plan, origin } = next.value;
		if (plan === null) return { result: "unfiltered", origin };
		const result = state === "ours" ? table.replace(plan, used(plan)) : table.apply(plan, used(plan));
		if (result.ok) {
			if (result.unadopted !== undefined) problem(`open connections may stall: ${result.unadopted}`);
			return { result: "loaded", origin };
		}
		problem(`${origin} cannot be loaded: ${result.error}`);
		if (result.reason === "foreign") return { result: "none", end: "unusable" };
	}
}
