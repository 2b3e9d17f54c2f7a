/** Metrics about quotas: at most as many series as there may be quotas. Pure. */

import type { Labels, Sample } from "../../../../report/metrics/exposition.ts";
import type { MetricGroup } from "../../../../report/metrics/group.ts";
import type { QuotaStatus } from "../quota-windows.ts";

export interface QuotaFacts {
	/** Those in force. */
	readonly quotas: readonly QuotaStatus[];
}

const labels = ["policy", "rule", "direction", "action"] as const;

function labelsOf({ policy, index, direction, action }: QuotaStatus): Labels {
	return { policy, rule: String(index), direction, action };
}

function samples({ quotas }: QuotaFacts, value: (quota: QuotaStatus) => number): Sample[] {
	return quotas.map((quota) => ({ labels: labelsOf(quota), value: value(quota) }));
}

export const quotaMetrics: MetricGroup<QuotaFacts> = [
	{
		name: "portward_quota_limit_bytes",
		type: "gauge",
		help: "What a rule's quota lets by in one window.",
		labels,
		since: "0.2.0",
		samples: (facts) => samples(facts, ({ limitBytes }) => limitBytes),
	},
	{
		name: "portward_quota_used_bytes",
		type: "gauge",
		help: "What of a rule's quota is used in the window that runs; never more than its limit.",
		labels,
		since: "0.2.0",
		samples: (facts) => samples(facts, ({ usedBytes }) => usedBytes),
	},
	{
		name: "portward_quota_beyond_bytes",
		type: "gauge",
		help: "What came beyond a rule's quota in the window that runs: refused, or of an Audit let by.",
		labels,
		since: "0.2.0",
		samples: (facts) => samples(facts, ({ beyond }) => beyond.bytes),
	},
	{
		name: "portward_quota_window_end_timestamp_seconds",
		type: "gauge",
		help: "When the window of a rule's quota ends, and it begins anew.",
		labels,
		since: "0.2.0",
		samples: (facts) => samples(facts, ({ windowEnd }) => Date.parse(windowEnd) / 1000),
	},
];
