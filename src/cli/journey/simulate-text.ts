/** What a simulation found, for people. */

import { escapeForTerminal } from "../../base/terminal.ts";
import { flowText } from "../../enforcers/network/history/flow-text.ts";
import type { SimulatedRule, Simulation } from "../../enforcers/network/history/simulate.ts";
import { plural } from "../diagnostics.ts";

/** Rules of one kind that are told. */
const mostRules = 200;

const headings = { wouldBlock: "WOULD BLOCK", wouldAllow: "WOULD ALLOW" } as const;

export function simulationLines(simulation: Simulation): string[] {
	const { flows, since, wouldBlock, wouldAllow, unchanged, untold = 0, rules } = simulation;
	const lines = [`Of ${plural(flows, "flow")} seen since ${timeText(since)}:`];
	const total = { wouldBlock, wouldAllow };
	for (const change of ["wouldBlock", "wouldAllow"] as const) {
		lines.push(`${headings[change]} ${total[change]}`);
		const own = rules.filter((rule) => rule.change === change);
		for (const rule of own.slice(0, mostRules)) lines.push(...ruleLines(rule));
		if (own.length > mostRules) lines.push(`  and by ${own.length - mostRules} more rules; --json has them`);
	}
	lines.push(`unchanged ${unchanged}`);
	if (untold > 0)
		lines.push(`cannot be told ${untold}: rules name who sends, and of these flows that is not known`);
	return lines.map(escapeForTerminal);
}

function ruleLines(rule: SimulatedRule): string[] {
	const { count, partly, example } = rule;
	const some = partly === 0 ? "" : `, ${partly === count ? "" : `${partly} of them `}partly`;
	return [`  ${count} by ${deciderText(rule)}${some}`, `      newest: ${flowText(example)}`];
}

export function deciderText({
	policy,
	direction,
	index,
}: Pick<SimulatedRule, "policy" | "direction" | "index">): string {
	if (policy === null) return `no rule, as ${direction} has no allow-list`;
	return index === null ? `${policy} (${direction})` : `${policy} ${direction}[${index}]`;
}

export function timeText(ms: number): string {
	return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
