/** What `explain` says about a packet, in JSON and for a person. */

import { escapeForTerminal } from "../../base/terminal.ts";
import type { CompiledLimit, CompiledRule } from "../../enforcers/network/compile/plan.ts";
import type { Explanation } from "../../enforcers/network/compile/verdict/explain.ts";
import { type EntriesOf, type MetEntry, noEntries } from "./explain-entries.ts";

const reasons: Readonly<Record<Explanation["overridden"][number]["reason"], string>> = {
	carved: "a more specific rule makes an exception",
	stricter: "the rules overlap, and the stricter one wins",
	same: "both have the same action, and the other is named first",
	failsafe: "a failsafe rule of the settings comes before every policy",
};

/** The fields that name a rule, in JSON. */
function ruleJson(rule: CompiledRule) {
	return {
		policy: rule.policy,
		rule: rule.index,
		action: rule.action,
		file: rule.place?.file ?? null,
		line: rule.place?.line ?? null,
	};
}

/** The field that says through which entries a rule met the packet; absent where it names no addresses. */
function entriesJson(entries: readonly MetEntry[]) {
	return entries.length === 0 ? {} : { entries };
}

export function explanationJson(
	{ action, rule, atom, overridden }: Explanation,
	entriesOf: EntriesOf = noEntries,
) {
	return {
		action,
		...(rule?.wouldBe === undefined ? {} : { wouldBe: rule.wouldBe }),
		policy: rule?.policy ?? null,
		rule: rule === null || rule.index < 0 ? null : rule.index,
		file: rule?.place?.file ?? null,
		line: rule?.place?.line ?? null,
		...(rule === null ? {} : entriesJson(entriesOf(rule, atom))),
		...(rule?.limits === undefined ? {} : { limits: rule.limits.map(limitJson) }),
		overridden: overridden.map((item) => ({
			...ruleJson(item.rule),
			...entriesJson(entriesOf(item.rule, item.atom)),
			reason: item.reason,
			by: ruleJson(item.by),
		})),
	};
}

function limitJson({ written, exceeded }: CompiledLimit) {
	const { text, audited } = exceeded.limit ?? { text: "", audited: false };
	return { limit: written.limit, text, exceedAction: audited ? "Audit" : "Block" };
}

function limitLine(limit: CompiledLimit): string {
	const { limit: name, text, exceedAction } = limitJson(limit);
	return `  within ${name} ${text}; beyond it ${exceedAction}`;
}

/** The rule, with its place where it has one. */
export function ruleName(rule: CompiledRule): string {
	if (rule.place === null)
		return rule.index < 0 ? rule.policy : `${rule.policy} ${rule.direction}[${rule.index}]`;
	return `${rule.policy} ${rule.direction}[${rule.index}] (${rule.place.file}:${rule.place.line})`;
}

/** Lines about groups alone: of a rule without any, the rule's own place says enough. */
function entryLines(entries: readonly MetEntry[]): string[] {
	if (entries.every(({ group }) => group === null)) return [];
	return entries.map(({ block, group, file, line }) => {
		const of = group === null ? "its own block" : `the group ${group}:`;
		return `by ${of} ${block} (${file}:${line})`;
	});
}

export interface Described {
	/** See allowBehind. */
	readonly allow: CompiledRule | null;
	/** The setting that keeps a Block from happening. */
	readonly audited?: string | undefined;
	readonly entriesOf?: EntriesOf;
}

export function describeExplanation(
	{ action, rule, atom, overridden }: Explanation,
	{ allow, audited = "enforcement: audit", entriesOf = noEntries }: Described,
): string {
	const by =
		rule === null ? "no rule matches, and no Allow makes this direction an allow-list" : ruleName(rule);
	const lines = [`${action}: ${by}`];
	if (rule !== null) lines.push(...entryLines(entriesOf(rule, atom)).map((line) => `  ${line}`));
	const direction = rule?.direction ?? "this direction";
	if (allow !== null)
		lines.push(`  no rule matches, and Allow ${ruleName(allow)} makes ${direction} an allow-list`);
	if (rule?.wouldBe !== undefined)
		lines.push(`  ${rule.wouldBe} once it is enforced; the settings say ${audited}`);
	lines.push(...(rule?.limits ?? []).map(limitLine));
	for (const item of overridden) {
		lines.push(`  over ${item.rule.action} ${ruleName(item.rule)}: ${reasons[item.reason]}`);
		lines.push(...entryLines(entriesOf(item.rule, item.atom)).map((line) => `    ${line}`));
		if (item.by !== rule) lines.push(`    in favour of ${item.by.action} ${ruleName(item.by)}`);
	}
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
