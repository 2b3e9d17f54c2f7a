/** Metrics about when rules last matched, with series as the other metrics of rules have them. Pure. */

import type { RuleUse } from "../../../../report/contribution.ts";
import type { Labels, Sample } from "../../../../report/metrics/exposition.ts";
import type { MetricGroup } from "../../../../report/metrics/group.ts";
import { latestMatches } from "../rule-use.ts";
import { type RuleFacts, type SeriesLevel, seriesLevel } from "./rule-metrics.ts";

export interface RuleUseFacts extends RuleFacts {
	/** Every rule in force but the posture's, as of the last time the counters were read. */
	readonly ruleUses: readonly RuleUse[];
}

const labelsAt: Readonly<Record<SeriesLevel, (use: RuleUse) => Labels>> = {
	rule: ({ policy, index, direction, action }) => ({ policy, rule: String(index), direction, action }),
	policy: ({ policy, direction, action }) => ({ policy, direction, action }),
	action: ({ direction, action }) => ({ direction, action }),
};

const keyAt: Readonly<Record<SeriesLevel, (use: RuleUse) => string>> = {
	rule: ({ policy, index, direction, action }) => `${direction} ${action} ${index} ${policy}`,
	policy: ({ policy, direction, action }) => `${direction} ${action} ${policy}`,
	action: ({ direction, action }) => `${direction} ${action}`,
};

/** @param time in milliseconds since the epoch; null for no series */
function times(facts: RuleUseFacts, time: (use: RuleUse) => number | null): Sample[] {
	const level = seriesLevel(facts);
	return latestMatches(facts.ruleUses, keyAt[level]).flatMap((use) => {
		const value = time(use);
		return value === null ? [] : [{ labels: labelsAt[level](use), value: value / 1000 }];
	});
}

export const ruleUseMetrics: MetricGroup<RuleUseFacts> = [
	{
		name: "portward_rule_last_match_timestamp_seconds",
		type: "gauge",
		help: "When a rule last decided a packet, to a minute; absent where it has decided none since counting began.",
		labels: ["policy", "rule", "direction", "action"],
		since: "0.2.0",
		samples: (facts) => times(facts, ({ lastMatch }) => lastMatch),
	},
	{
		name: "portward_rule_counting_since_timestamp_seconds",
		type: "gauge",
		help: "Since when it is known whether a rule decides packets: also of those that decide none.",
		labels: ["policy", "rule", "direction", "action"],
		since: "0.2.0",
		samples: (facts) => times(facts, ({ since }) => since),
	},
];
