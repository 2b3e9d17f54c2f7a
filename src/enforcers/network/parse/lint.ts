/** Warnings about policies that are valid but say one thing and do another. */

import type { Diagnostic } from "../../../base/diagnostic.ts";
import type { Direction } from "../../../base/model.ts";
import { blockText, type NetworkPolicy, type NetworkRule } from "../model.ts";
import { lintSources } from "./lint-sources.ts";

const promise =
	/(?:^|[^a-z])(allow(?:s|ed|list|listed)?|only|restrict(?:s|ed|ion)?|permit(?:s|ted)?|whitelist)(?:$|[^a-z])/i;

/** "do not allow" and "disallow" promise what Block does. */
const denial =
	/\b(?:not|never|no longer|don'?t|isn'?t|aren'?t)[ -](?:\w+[ -])?(?:allow|permit)|\bnot-allow|\bno-allow/i;

/**
 * Entries that no packet can match, and a rule that blocks while the policy's name or message says allow, only or
 * restrict: the text promises that only the named addresses may connect, the
 * rule cuts off exactly these. A direction with an Allow rule of the same
 * policy keeps its promise, so its Block rules are left alone.
 */
export function lintNetworkPolicy(policy: NetworkPolicy): readonly Diagnostic[] {
	const named = promisingWord(policy.name);
	const findings: Diagnostic[] = [];
	for (const direction of ["ingress", "egress"] as const) {
		for (const rule of policy[direction]) findings.push(...lintSources(rule, direction));
		if (policy[direction].some((rule) => rule.action === "Allow")) continue;
		for (const rule of policy[direction]) {
			if (rule.action !== "Block") continue;
			const inMessage = promisingWord(rule.message);
			const word = named ?? inMessage;
			if (word === null) continue;
			const where = named === null ? "message" : "name";
			findings.push(invertedRule(direction, rule, word, where));
		}
	}
	return findings;
}

function promisingWord(text: string): string | null {
	if (denial.test(text)) return null;
	return promise.exec(text)?.[1]?.toLowerCase() ?? null;
}

function invertedRule(direction: Direction, rule: NetworkRule, word: string, where: string): Diagnostic {
	const [peer, ...others] = rule.groups?.own ?? rule.peers;
	const groups = (rule.groups?.uses ?? []).map(({ name }) => `the group ${name}`);
	const preposition = direction === "ingress" ? "from" : "to";
	let who = "any address";
	if (peer !== undefined) who = blockText(peer);
	if (others.length > 0) who += ` and ${others.length} more`;
	if (groups.length > 0) who = [...(peer === undefined ? [] : [who]), ...groups].join(" and ");
	return {
		...rule.place,
		path: `spec.${direction}[${rule.index}]`,
		severity: "warning",
		code: "inverted-action",
		message: `the ${where} says "${word}", but this rule blocks the traffic ${preposition} ${who} and lets all other traffic pass`,
		hint: `write action: Allow so that only this traffic ${direction === "ingress" ? "comes in" : "goes out"}, or rename the policy`,
	};
}
