/** Metrics about changes of policies that wait for their confirmation. Pure. */

import type { PendingState } from "../status.ts";
import type { Family } from "./exposition.ts";

/** How changes ended since the daemon started. */
export const changeResults = ["confirmed", "rolled_back", "refused"] as const;
export type ChangeResult = (typeof changeResults)[number];
export type ChangeCounts = Readonly<Record<ChangeResult, number>>;

export function changeFamilies(pending: PendingState | null, counts: ChangeCounts): Family[] {
	return [
		{
			name: "portward_change_pending",
			type: "gauge",
			help: "Whether policies are in force that roll back unless they are confirmed.",
			samples: [{ labels: {}, value: pending === null ? 0 : 1 }],
		},
		{
			name: "portward_change_seconds_left",
			type: "gauge",
			help: "Seconds until the pending policies roll back; 0 while none are.",
			samples: [{ labels: {}, value: pending?.secondsLeft ?? 0 }],
		},
		{
			name: "portward_changes_total",
			type: "counter",
			help: "Changes of policies that had to be confirmed, by what became of them.",
			samples: changeResults.map((result) => ({ labels: { result }, value: counts[result] })),
		},
	];
}
