/** What changes between two sets of selected policies, rule by rule and entry by entry. */

import type { Config } from "../config/model.ts";
import type { Default, Described, RuleList, Telling } from "../enforcers/contract/describe.ts";
import type { Enforcer } from "../enforcers/contract/enforcer.ts";

/** What one enforcer has of a set. */
export interface SetPart {
	readonly enforcer: Enforcer;
	readonly parts: readonly unknown[];
	readonly kept: unknown;
}

/** Null in `before` is added, null in `after` removed. */
export interface Change {
	readonly before: Described | null;
	readonly after: Described | null;
}

export interface DefaultChange {
	readonly before: Default;
	readonly after: Default;
}

export interface PolicyDiff {
	/** Of each enforcer, by policy name, list and position. */
	readonly lists: readonly (Pick<Telling, "key" | "heading"> & { readonly changes: readonly Change[] })[];
	/** By the name of a RuleList. */
	readonly defaults: Readonly<Record<string, DefaultChange>>;
}

/** @param before and `after` have the same enforcers in the same order */
export function diffSets(before: readonly SetPart[], after: readonly SetPart[], config: Config): PolicyDiff {
	const defaults: Record<string, DefaultChange> = {};
	const lists = after.map(({ enforcer, parts, kept }, position) => {
		const { key, heading, lists: known } = enforcer.telling;
		const past = before[position];
		if (past?.enforcer !== enforcer) throw new Error("two sets have the same enforcers");
		const old = enforcer.describe(past.parts, past.kept, config);
		const fresh = enforcer.describe(parts, kept, config);
		for (const { name } of known) {
			const [was, is] = [old.defaults[name], fresh.defaults[name]];
			if (was !== undefined && is !== undefined) defaults[name] = { before: was, after: is };
		}
		return { key, heading, changes: diff(old.rules, fresh.rules, known) };
	});
	return { lists, defaults };
}

/** Whether anything is not as it was. */
export function isEmptyDiff({ lists, defaults }: PolicyDiff): boolean {
	return lists.every(({ changes }) => changes.length === 0) && !Object.values(defaults).some(defaultChanges);
}

export function defaultChanges({ before, after }: DefaultChange): boolean {
	return before.allowlistMode !== after.allowlistMode || before.unmatched !== after.unmatched;
}

/** Equal exactly when two rules of one policy do the same, wherever they stand in it. */
function contentOf({ action, severity, tags, message, conditions }: Described): string {
	return JSON.stringify([action, severity, tags, message, conditions]);
}

function listOf({ policy, direction }: Described): string {
	return JSON.stringify([policy, direction]);
}

/**
 * Within a policy the order of rules means nothing, so one that only moved did
 * not change; of the others those at the same position are one rule that changed.
 */
function diff(
	before: readonly Described[],
	after: readonly Described[],
	lists: readonly RuleList[],
): Change[] {
	const old = Map.groupBy(before, listOf);
	const fresh = Map.groupBy(after, listOf);
	const changes: Change[] = [];
	for (const list of new Set([...old.keys(), ...fresh.keys()])) {
		const gone = Map.groupBy(old.get(list) ?? [], contentOf);
		const added = (fresh.get(list) ?? []).filter((rule) => gone.get(contentOf(rule))?.shift() === undefined);
		const byIndex = new Map([...gone.values()].flat().map((rule) => [rule.index, rule]));
		for (const rule of added) {
			changes.push({ before: byIndex.get(rule.index) ?? null, after: rule });
			byIndex.delete(rule.index);
		}
		for (const rule of byIndex.values()) changes.push({ before: rule, after: null });
	}
	const places = new Map(lists.map(({ name }, place) => [name, place]));
	return changes.sort((a, b) => compareChanges(a, b, places));
}

function compareChanges(a: Change, b: Change, places: ReadonlyMap<string, number>): number {
	const x = a.after ?? a.before;
	const y = b.after ?? b.before;
	if (x === null || y === null) return 0;
	if (x.policy !== y.policy) return x.policy < y.policy ? -1 : 1;
	return (places.get(x.direction) ?? 0) - (places.get(y.direction) ?? 0) || x.index - y.index;
}
