/** Metrics about changes of policies that wait for their confirmation. Pure. */

import type { DaemonState } from "../status.ts";
import { byKey, type MetricGroup, one } from "./group.ts";

/** How changes ended since the daemon started. */
const changeResults = ["confirmed", "rolled_back", "refused"] as const;
export type ChangeResult = (typeof changeResults)[number];
export type ChangeCounts = Readonly<Record<ChangeResult, number>>;

export const changeMetrics: MetricGroup<{ readonly state: DaemonState; readonly changes: ChangeCounts }> = [
	{
		name: "portward_change_pending",
		type: "gauge",
		help: "Whether policies are in force that roll back unless they are confirmed.",
		labels: [],
		since: "0.2.0",
		samples: ({ state }) => one(Number(state.pending !== null)),
	},
	{
		name: "portward_change_seconds_left",
		type: "gauge",
		help: "Seconds until the pending policies roll back; 0 while none are.",
		labels: [],
		since: "0.2.0",
		samples: ({ state }) => one(state.pending?.secondsLeft ?? 0),
	},
	{
		name: "portward_changes_total",
		type: "counter",
		help: "Changes of policies that had to be confirmed, by what became of them.",
		labels: ["result"],
		since: "0.2.0",
		samples: ({ changes }) => byKey("result", changes),
	},
];
