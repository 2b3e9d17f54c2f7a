/** How watching goes, for status and metrics. Plain data. */

import type { MetricGroup } from "../../../../report/metrics/group.ts";
import { one } from "../../../../report/metrics/group.ts";

export const flowsPath = "/v1/flows";

/** What /v1/status says under `observing`. */
export interface ObservingStatus {
	readonly enabled: boolean;
	/** Why nothing is watched; "" where it is. */
	readonly reason: string;
	/** Flows that are kept apart, or in blocks. */
	readonly flows: number;
	readonly maxFlows: number;
	/** Flows that were merged into blocks. */
	readonly merged: number;
	/** Flows of which nothing is known but their number. */
	readonly lost: number;
	/** Flows that no recommendation was made from, since the daemon started. */
	readonly newFlows: number;
	/** Milliseconds since the epoch. */
	readonly since: number;
	readonly pollMs: number;
	readonly elements: number;
}

export const watchingNothing: ObservingStatus = {
	enabled: false,
	reason: "",
	flows: 0,
	maxFlows: 0,
	merged: 0,
	lost: 0,
	newFlows: 0,
	since: 0,
	pollMs: 0,
	elements: 0,
};

/** The fields of /v1/status. */
export function observingFields({ enabled, reason, since, ...counts }: ObservingStatus) {
	const { flows, maxFlows, merged, lost, newFlows } = counts;
	const began = since > 0 ? new Date(since).toISOString() : null;
	return { enabled, reason, since: began, flows, maxFlows, merged, lost, new: newFlows };
}

/** "812 known, …", or why nothing is. */
export function describeObserving({
	enabled,
	reason,
	flows,
	newFlows,
	merged,
	lost,
}: Pick<ObservingStatus, "enabled" | "reason" | "flows" | "newFlows" | "merged" | "lost">): string {
	if (!enabled) return `not watched: ${reason}`;
	const counts = `${flows} known, ${newFlows} new, ${merged} merged, ${lost} lost`;
	return reason === "" ? counts : `${counts} (${reason})`;
}

export interface ObservingFacts {
	readonly observing: ObservingStatus;
}

const since = "0.2.0";

export const observingMetrics: MetricGroup<ObservingFacts> = [
	{
		name: "portward_flows_known",
		type: "gauge",
		help: "Flows that were seen and are kept, apart or merged into blocks of addresses.",
		labels: [],
		since,
		samples: ({ observing }) => one(observing.flows),
	},
	{
		name: "portward_flows_limit",
		type: "gauge",
		help: "Flows that are kept apart at most (observe.maxFlows).",
		labels: [],
		since,
		samples: ({ observing }) => one(observing.maxFlows),
	},
	{
		name: "portward_flows_merged_total",
		type: "counter",
		help: "Flows that were merged into blocks of addresses because there were more than observe.maxFlows.",
		labels: [],
		since,
		samples: ({ observing }) => one(observing.merged),
	},
	{
		name: "portward_flows_lost_total",
		type: "counter",
		help: "New flows that were seen and of which nothing else is known, for want of room.",
		labels: [],
		since,
		samples: ({ observing }) => one(observing.lost),
	},
	{
		name: "portward_flows_new_total",
		type: "counter",
		help: "Flows that none of those covers that the last recommendation was made from.",
		labels: [],
		since,
		samples: ({ observing }) => one(observing.newFlows),
	},
	{
		name: "portward_flows_poll_seconds",
		type: "gauge",
		help: "Time that the last look at the kernel's counts of flows took.",
		labels: [],
		since,
		samples: ({ observing }) => one(observing.pollMs / 1000),
	},
];
