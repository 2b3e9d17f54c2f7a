/** A whole table as objects: what the steps of this folder leave in the kernel, and what `portward render` prints. */

import type { NftObject, Rule } from "../../../kernel/nftables/objects.ts";
import { tableText } from "../../../kernel/nftables/writer.ts";
import type { NetworkPlan } from "../compile/plan.ts";
import { baseChain, baseNames } from "./base-chains.ts";
import { rootChains, rootRules, stableObjects } from "./transaction.ts";

/** The table with a plan in force; what stands together is one group. */
export function tableGroups(plan: NetworkPlan): readonly (readonly NftObject[])[] {
	const counters = plan.objects.filter((object) => object.kind === "counter");
	const others = plan.objects.filter((object) => object.kind !== "counter");
	const held = new Map<string, Rule>(rootRules(plan));
	const roots = rootChains(plan).map((chain) => {
		const rule = held.get(chain.name);
		return rule === undefined ? chain : { ...chain, rules: [rule] };
	});
	const bases = baseNames(plan).map(baseChain);
	return [
		stableObjects(plan.forward?.uplinks),
		...[...counters, ...others, ...roots, ...bases].map((object) => [object]),
	];
}

/** As text that `nft -f` takes. `table` is a checked identifier. */
export function planText(plan: NetworkPlan, table: string): string {
	return tableText(table, tableGroups(plan));
}
