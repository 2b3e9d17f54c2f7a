/** What is known after a recommendation: all that it was made from, by block where it is in one. */

import { flowKey } from "../baseline.ts";
import { compareTexts } from "./candidate.ts";
import type { Recommendation } from "./model.ts";

export function baselineKeys({ included, leftOut }: Recommendation): readonly string[] {
	const keys = new Set<string>();
	for (const [flow, { block }] of included) {
		const { family } = flow.remote;
		keys.add(flowKey({ ...flow, remote: block ?? { family, base: 0n, prefix: 0 } }));
	}
	for (const { flow } of leftOut) keys.add(flowKey(flow));
	return [...keys].sort(compareTexts);
}
