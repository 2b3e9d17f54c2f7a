/** When a policy's rules last matched, as `portward status` says it. */

import * as v from "valibot";
import { describeUnused, lastMatchText, unusedRules } from "../../report/rule-use.ts";

/** A rule of /v1/status, as far as it is printed. */
export const ruleShape = v.looseObject({
	direction: v.picklist(["ingress", "egress"]),
	index: v.number(),
	since: v.string(),
	lastMatch: v.nullable(v.string()),
});

type Rules = readonly v.InferOutput<typeof ruleShape>[];

/** Lines about rules of one policy that match nothing. */
const mostLines = 3;

/** Such as `, last matched 3 days ago`; "" where nothing is known. */
export function matchText(rules: Rules, now: number): string {
	const last = lastMatchText(rules, now);
	return last === null ? "" : `, last matched ${last}`;
}

export function unusedLines(rules: Rules, now: number): string[] {
	const lines = unusedRules(rules, now).map(describeUnused);
	const more = lines.length > mostLines ? ["unused for a shorter time: see --json"] : [];
	return [...lines.slice(0, mostLines), ...more];
}
