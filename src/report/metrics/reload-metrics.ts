/** Metrics about reading the policies and putting them in force. Pure. */

import type { HistogramValue } from "./exposition.ts";
import { byKey, type MetricGroup, one } from "./group.ts";

/** `success`, or why a reload changed nothing or not everything. */
const reloadResults = ["success", "partial", "failure"] as const;
export type ReloadResult = (typeof reloadResults)[number];

/** Upper bounds in seconds for portward_apply_duration_seconds. */
export const applyDurationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

export interface ReloadFacts {
	readonly results: Readonly<Record<ReloadResult, number>>;
	readonly duration: HistogramValue;
	/** How the last attempt ended; null before the first. */
	readonly last: ReloadResult | null;
	/** When one was last a success, in milliseconds since the epoch; null for never. */
	readonly lastSuccess: number | null;
}

export const reloadMetrics: MetricGroup<{ readonly reloads: ReloadFacts }> = [
	{
		name: "portward_reloads_total",
		type: "counter",
		help: "Times that the policies were read and applied.",
		labels: ["result"],
		since: "0.2.0",
		samples: ({ reloads }) => byKey("result", reloads.results),
	},
	{
		name: "portward_last_reload_successful",
		type: "gauge",
		help: "Whether the last reading of the policies put in force all that is on disk.",
		labels: [],
		since: "0.2.0",
		samples: ({ reloads: { last } }) => (last === null ? [] : one(Number(last === "success"))),
	},
	{
		name: "portward_last_reload_success_timestamp_seconds",
		type: "gauge",
		help: "When all that is on disk was last put in force; absent before the first time.",
		labels: [],
		since: "0.2.0",
		samples: ({ reloads: { lastSuccess } }) => (lastSuccess === null ? [] : one(lastSuccess / 1000)),
	},
	{
		name: "portward_apply_duration_seconds",
		type: "histogram",
		help: "Time from the parsed policies to the ruleset in force.",
		labels: [],
		since: "0.2.0",
		value: ({ reloads }) => reloads.duration,
	},
];
