/** Where a plan's objects lead, for tests that follow them. */

import type { NftObject, Rule } from "../../src/kernel/nftables/objects.ts";

/** The names that a rule leads to. */
export function namesIn(rule: Rule): readonly string[] {
	return typeof rule === "string" ? [] : rule.filter((_, i) => i % 2 === 1);
}

/** The chains, sets and maps that an object leads to. */
export function referencesOf(object: NftObject): readonly string[] {
	if (object.kind === "chain") return object.rules.flatMap(namesIn);
	if (object.kind !== "map") return [];
	return object.values.flatMap((value) => ("chain" in value ? [value.chain] : []));
}
