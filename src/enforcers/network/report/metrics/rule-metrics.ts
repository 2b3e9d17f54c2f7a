/** Metrics about what each rule decided. Pure. */

import type { Labels } from "../../../../report/metrics/exposition.ts";
import type { MetricGroup } from "../../../../report/metrics/group.ts";
import type { RuleCount, RuleLog } from "../network-status.ts";

function labels(rule: RuleCount): Labels {
	return {
		policy: rule.policy,
		rule: rule.index < 0 ? "default" : String(rule.index),
		direction: rule.direction,
		action: rule.action,
	};
}

export interface RuleFacts {
	/** Every rule in force, as of the last time the counters were read. */
	readonly rules: readonly RuleCount[];
	readonly ruleLogs: readonly RuleLog[];
}

export const ruleMetrics: MetricGroup<RuleFacts> = [
	{
		name: "portward_policy_packets_total",
		type: "counter",
		help: "Packets that a policy rule, or the default posture, decided.",
		samples: ({ rules }) => rules.map((rule) => ({ labels: labels(rule), value: rule.packets })),
	},
	{
		name: "portward_policy_bytes_total",
		type: "counter",
		help: "Bytes of the packets that a policy rule, or the default posture, decided.",
		samples: ({ rules }) => rules.map((rule) => ({ labels: labels(rule), value: rule.bytes })),
	},
	{
		name: "portward_policy_log_packets_total",
		type: "counter",
		help: "What became of the packets that an alerting rule counted; the outcomes of a rule add up to its packets.",
		samples: ({ ruleLogs }) =>
			ruleLogs.flatMap(({ rule, outcomes }) =>
				Object.entries(outcomes).map(([outcome, value]) => ({
					labels: { ...labels(rule), outcome },
					value,
				})),
			),
	},
];
