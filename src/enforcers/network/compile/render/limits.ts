/** The chains between the lookup of a rule and its own chain that keep its limits. */

import type { Family } from "../../../../base/model.ts";
import {
	addressKey,
	addressType,
	commonKey,
	commonType,
	confirmed,
	goto,
	inSet,
	joined,
	withinCount,
	withinRate,
} from "../../../../kernel/nftables/expressions.ts";
import type { NftSet, Rule } from "../../../../kernel/nftables/objects.ts";
import { limitedSources, timeoutOf } from "../limits.ts";
import { type CompiledLimit, type CompiledRule, limitRules } from "../plan.ts";
import { maskText } from "./address-text.ts";
import type { ObjectStore } from "./objects.ts";

/** A rule and those of its limits. */
export function withLimits(rule: CompiledRule): readonly CompiledRule[] {
	return rule.limits === undefined ? [rule] : [rule, ...limitRules(rule)];
}

/**
 * Adds the chain that packets of a rule meet, and returns its name: the rule's own where it has no limits. A packet of a
 * connection whose first one passed is not counted again, though no answer to it was seen.
 *
 * @param leaf adds the chain that decides for a rule
 */
export function addLimits(
	store: ObjectStore,
	rule: CompiledRule,
	leaf: (rule: CompiledRule) => string,
): string {
	const own = leaf(rule);
	const { limits = [] } = rule;
	if (limits.length === 0) return own;
	// The rate comes first: what it refuses is no open connection.
	const within = limits.toReversed().reduce((next, limit) => addLimit(store, limit, next, leaf), own);
	return store.chain([joined(`${confirmed} `, goto(own)), goto(within)]);
}

function addLimit(
	store: ObjectStore,
	limit: CompiledLimit,
	next: string,
	leaf: (rule: CompiledRule) => string,
): string {
	const { exceeded, full } = limit;
	if (full === null) {
		const name = addSet(store, limit, "common", commonType);
		return store.chain([matched(limit, name, commonKey, next), goto(leaf(exceeded))]);
	}
	const families = ([4, 6] as const).map((family) => ({
		name: addSet(store, limit, String(family), addressType(family)),
		key: sourceKey(family, limit.written.prefix6),
	}));
	return store.chain([
		...families.map(({ name, key }) => matched(limit, name, key, next)),
		// Whose source the set has is beyond the limit; of all others nobody knows. Asked the other way round, the kernel
		// would ask the element's limit once more.
		...families.map(({ name, key }) => joined(inSet(`${key} !=`, name, ""), goto(leaf(full)))),
		goto(leaf(exceeded)),
	]);
}

/** Goes on where the limit is not reached. */
function matched({ written }: CompiledLimit, set: string, key: string, next: string): Rule {
	const met =
		written.limit === "rateLimit"
			? withinRate(set, key, { count: written.connections, unit: written.unit, burst: written.burst })
			: withinCount(set, key, written.max);
	return joined(met, " ", goto(next));
}

function sourceKey(family: Family, prefix6: number): string {
	const source = addressKey(family, "saddr");
	return family === 4 || prefix6 === 128 ? source : `${source} & ${maskText(6, prefix6)}`;
}

function addSet(store: ObjectStore, { set, written }: CompiledLimit, part: string, type: string): string {
	const timeout = timeoutOf(written);
	const made: NftSet = {
		kind: "set",
		name: `${set}_${part}`,
		type,
		// The kernel forgets a source without connections by itself.
		flags: timeout === null ? ["dynamic"] : ["dynamic", "timeout"],
		...(timeout === null ? {} : { timeout }),
		size: part === "common" ? 1 : limitedSources,
		keys: "",
	};
	return store.again(made);
}
