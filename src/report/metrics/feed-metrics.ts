/** Metrics about the files of address groups; without samples where there are none. Pure. */

import type { DaemonState } from "../status.ts";
import type { MetricGroup } from "./group.ts";

export const feedMetrics: MetricGroup<{ readonly state: DaemonState }> = [
	{
		name: "portward_group_file_current",
		type: "gauge",
		help: "Whether the file of an address group is taken as it is; 0 where its last good list stands in, or nothing does.",
		labels: ["group"],
		since: "0.2.0",
		samples: ({ state: { feeds } }) =>
			feeds.map(({ group, state }) => ({ labels: { group }, value: Number(state === "current") })),
	},
	{
		name: "portward_group_file_blocks",
		type: "gauge",
		help: "Blocks of the list that is taken of an address group's file.",
		labels: ["group"],
		since: "0.2.0",
		samples: ({ state: { feeds } }) =>
			feeds.map(({ group, blocks }) => ({ labels: { group }, value: blocks ?? 0 })),
	},
];
