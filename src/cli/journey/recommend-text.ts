/** What was recommended, for people and as JSON. */

import { escapeForTerminal } from "../../base/terminal.ts";
import { blockText, serviceText } from "../../enforcers/network/history/recommend/candidate.ts";
import type { Recommendation } from "../../enforcers/network/history/recommend/model.ts";
import type { RecommendedPolicy } from "../../enforcers/network/history/recommend/policy-text.ts";
import { reportFile } from "../../enforcers/network/history/recommend/report-text.ts";
import { statesFile } from "../../enforcers/network/history/recommend/states.ts";
import { flowJson, type SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import type { Io } from "../command.ts";
import { plural } from "../diagnostics.ts";
import type { FileOutcome, Made } from "./recommend-files.ts";
import { timeText } from "./simulate-text.ts";

export function recommendationJson({ leftOut }: Recommendation, { policies, outcomes }: Made) {
	return {
		files: outcomes,
		rules: policies.flatMap(rulesJson),
		leftOut: leftOut.map(({ flow, reason }) => ({ flow: flowJson(flow), reason })),
	};
}

function rulesJson({ name, service, rules }: RecommendedPolicy) {
	return rules.map(({ index, interfaces, chosen }) => ({
		policy: name,
		direction: service.direction,
		index,
		interfaces,
		blocks: chosen.map(({ candidate, holes, evidence, why }) => ({
			block: blockText(candidate.block),
			except: holes.map(blockText),
			count: evidence?.count ?? 0,
			firstSeen: evidence === null ? null : new Date(evidence.firstSeen).toISOString(),
			lastSeen: evidence === null ? null : new Date(evidence.lastSeen).toISOString(),
			why,
		})),
	}));
}

const changes = {
	kept: "was changed by hand and is left alone",
	removed: "is removed, as all of it is to be ignored",
} as const;

export function printRecommendation(
	path: string,
	history: SeenHistory,
	{ included, leftOut, learnt }: Recommendation,
	{ policies, outcomes, droppedCases }: Made,
	io: Io,
): void {
	const rules = policies.reduce((sum, policy) => sum + policy.rules.length, 0);
	const lines = [
		`${plural(history.flows.length, "flow")} seen since ${timeText(history.since)}: ${included.size} ${included.size === 1 ? "is" : "are"} allowed by ${plural(rules, "rule")} in ${path}, ${leftOut.length} ${leftOut.length === 1 ? "stays" : "stay"} out.`,
		...policies.map(policyLine),
		`Why others stay out: ${path}/${reportFile}. What you decide: ${path}/${statesFile}.`,
		...learnt
			.filter(({ candidate }) => candidate.block === null)
			.map(({ candidate, reason }) => `${serviceText(candidate.service)}: ${reason}`),
	];
	for (const line of lines) io.out(`${escapeForTerminal(line)}\n`);
	for (const notice of [...outcomes.flatMap(noticeOf), ...lossesOf(history), ...dropped(droppedCases)])
		io.error(`portward: ${escapeForTerminal(notice)}\n`);
}

function policyLine({ name, rules }: RecommendedPolicy): string {
	const chosen = rules.flatMap((rule) => rule.chosen);
	const count = chosen.reduce((sum, { evidence }) => sum + (evidence?.count ?? 0), 0);
	return `  ${name}: ${plural(chosen.length, "block")}, seen ${count === 1 ? "once" : `${count} times`}`;
}

function noticeOf({ file, change }: FileOutcome): string[] {
	return change === "kept" || change === "removed" ? [`${file} ${changes[change]}`] : [];
}

function lossesOf({ merged, lost }: SeenHistory): string[] {
	return [
		...(merged > 0
			? [
					`${plural(merged, "flow")} ${merged === 1 ? "was merged into a block, and stays" : "were merged into blocks, and stay"} out`,
				]
			: []),
		...(lost > 0
			? [
					`${plural(lost, "flow")} ${lost === 1 ? "was" : "were"} lost, as there were too many: see observe.maxFlows`,
				]
			: []),
	];
}

function dropped(count: number): string[] {
	return count === 0 ? [] : [`${plural(count, "flow")} of those would be blocked by what else is there`];
}
