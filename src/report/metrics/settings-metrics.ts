/** Metrics about the settings. Pure. */

import type { Config } from "../../config/model.ts";
import type { DaemonState } from "../status.ts";
import { byKey, type MetricGroup, one } from "./group.ts";

export const settingsMetrics: MetricGroup<{
	readonly state: DaemonState;
	/** Of the settings in force. */
	readonly enforcement: Config["enforcement"];
}> = [
	{
		name: "portward_settings_ok",
		type: "gauge",
		help: "Whether the settings on disk could be read; 0 while older ones are in force.",
		labels: [],
		since: "0.2.0",
		samples: ({ state }) => one(Number(state.settings.problem === "")),
	},
	{
		name: "portward_enforcement",
		type: "gauge",
		help: "Whether verdicts are carried out or only told: 1 for the setting of enforcement that is in force.",
		labels: ["mode"],
		since: "0.2.0",
		samples: ({ enforcement }) =>
			byKey("mode", { enforce: Number(enforcement === "enforce"), audit: Number(enforcement === "audit") }),
	},
];
