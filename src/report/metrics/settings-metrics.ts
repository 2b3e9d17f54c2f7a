/** Metrics about the settings file. Pure. */

import type { DaemonState } from "../status.ts";
import { type MetricGroup, one } from "./group.ts";

export const settingsMetrics: MetricGroup<{ readonly state: DaemonState }> = [
	{
		name: "portward_settings_ok",
		type: "gauge",
		help: "Whether the settings on disk could be read; 0 while older ones are in force.",
		labels: [],
		since: "0.2.0",
		samples: ({ state }) => one(Number(state.settings.problem === "")),
	},
];
