/** Metrics about what was beyond the limits of rules. Pure. */

import type { Sample } from "../../../../report/metrics/exposition.ts";
import type { MetricGroup } from "../../../../report/metrics/group.ts";
import type { LimitCount } from "../limit-counts.ts";
import type { NetworkEnforcerState } from "../network-status.ts";

export interface LimitFacts {
	readonly state: Pick<NetworkEnforcerState, "limits">;
	/** Limits that may have series. */
	readonly maxRuleSeries: number;
}

const labels = ["policy", "rule", "direction", "limit", "action"] as const;

function samples(
	{ state, maxRuleSeries }: LimitFacts,
	value: (count: LimitCount) => number | null,
): Sample[] {
	return state.limits.slice(0, maxRuleSeries).flatMap((count) => {
		const { policy, rule, direction, limit, action } = count;
		const packets = value(count);
		if (packets === null) return [];
		return { labels: { policy, rule: String(rule), direction, limit, action }, value: packets };
	});
}

export const limitMetrics: MetricGroup<LimitFacts> = [
	{
		name: "portward_limit_exceeded_packets_total",
		type: "counter",
		help: "Packets of new connections beyond a rule's rateLimit or connectionLimit, and what became of them; of the first metrics.maxRuleSeries limits.",
		labels,
		since: "0.2.0",
		samples: (facts) => samples(facts, ({ exceeded }) => exceeded),
	},
	{
		name: "portward_limit_full_packets_total",
		type: "counter",
		help: "Packets of new connections whose source a rule's limit had no room to count: refused by an Allow, let pass by an Audit.",
		labels,
		since: "0.2.0",
		samples: (facts) => samples(facts, ({ full }) => full),
	},
];
