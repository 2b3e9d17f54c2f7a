/** Limits of rules in `portward status`. */

import * as v from "valibot";
import { describeLimit } from "../../enforcers/network/report/limit-counts.ts";

/** The parts of a limit that are printed. */
export const limitShape = v.looseObject({
	policy: v.string(),
	rule: v.number(),
	direction: v.picklist(["ingress", "egress"]),
	limit: v.picklist(["rateLimit", "connectionLimit"]),
	text: v.string(),
	exceeded: v.number(),
	full: v.nullable(v.number()),
});

/** Limits that are told one by one. */
const told = 20;

/** Those that had to refuse most come first. */
export function limitLines(limits: readonly v.InferOutput<typeof limitShape>[]): string[] {
	const sorted = limits.toSorted((a, b) => b.exceeded + (b.full ?? 0) - (a.exceeded + (a.full ?? 0)));
	const more = limits.length - told;
	return [
		...sorted.slice(0, told).map((limit) => `limit of ${describeLimit(limit)}`),
		...(more > 0 ? [`${more} more limit${more === 1 ? "" : "s"}`] : []),
	];
}
