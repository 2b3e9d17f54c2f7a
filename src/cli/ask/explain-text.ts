/** What `explain` says about a packet, in JSON and for a person. */

import { escapeForTerminal } from "../../base/terminal.ts";
import type { CompiledLimit, CompiledRule } from "../../enforcers/network/compile/plan.ts";
import type { Explanation } from "../../enforcers/network/compile/verdict/explain.ts";

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

export function explanationJson({ action, rule, overridden }: Explanation) {
	return {
		action,
		...(rule?.wouldBe === undefined ? {} : { wouldBe: rule.wouldBe }),
		policy: rule?.policy ?? null,
		rule: rule === null || rule.index < 0 ? null : rule.index,
		file: rule?.place?.file ?? null,
		line: rule?.place?.line ?? null,
		...(rule?.limits === undefined ? {} : { limits: rule.limits.map(limitJson) }),
		overridden: overridden.map((item) => ({
			...ruleJson(item.rule),
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

/** @param audited the setting that keeps a Block from happening */
export function describeExplanation(
	{ action, rule, overridden }: Explanation,
	allow: CompiledRule | null,
	audited = "enforcement: audit",
): string {
	const by =
		rule === null ? "no rule matches, and no Allow makes this direction an allow-list" : ruleName(rule);
	const lines = [`${action}: ${by}`];
	const direction = rule?.direction ?? "this direction";
	if (allow !== null)
		lines.push(`  no rule matches, and Allow ${ruleName(allow)} makes ${direction} an allow-list`);
	if (rule?.wouldBe !== undefined)
		lines.push(`  ${rule.wouldBe} once it is enforced; the settings say ${audited}`);
	lines.push(...(rule?.limits ?? []).map(limitLine));
	for (const item of overridden) {
		lines.push(`  over ${item.rule.action} ${ruleName(item.rule)}: ${reasons[item.reason]}`);
		if (item.by !== rule) lines.push(`    in favour of ${item.by.action} ${ruleName(item.by)}`);
	}
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
