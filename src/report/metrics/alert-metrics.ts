/** Metrics about alerts and what became of them. Pure. */

import type { AlertCount, AlertKindCount, DropReason } from "../sinks/alert-sink.ts";
import type { DaemonState } from "../status.ts";
import { byKey, type MetricGroup, one } from "./group.ts";

export interface AlertFacts {
	readonly raised: readonly AlertCount[];
	/** The same alerts by what kind of alert they are. */
	readonly kinds: readonly AlertKindCount[];
	/** Counts of alerts that were let go of, as their policies are gone. */
	readonly retired: number;
	/** Alerts that went to no outlet, as their policies raise too many. */
	readonly throttled: number;
	/** Alerts that an outlet could not take. */
	readonly dropped: Readonly<Record<DropReason, number>>;
}

export const alertMetrics: MetricGroup<{ readonly state: DaemonState; readonly alerts: AlertFacts }> = [
	{
		name: "portward_alerts_total",
		type: "counter",
		help: "Alerts raised.",
		labels: ["policy", "action"],
		since: "0.2.0",
		samples: ({ alerts }) =>
			alerts.raised.map(({ policy, action, count }) => ({ labels: { policy, action }, value: count })),
	},
	{
		name: "portward_alerts_by_kind_total",
		type: "counter",
		help: "The same alerts, by type, operation and severity as the alerts themselves have them.",
		labels: ["type", "operation", "severity"],
		since: "0.2.0",
		samples: ({ alerts }) =>
			alerts.kinds.map(({ type, operation, severity, count }) => ({
				labels: { type, operation, severity },
				value: count,
			})),
	},
	{
		name: "portward_alerts_retired_total",
		type: "counter",
		help: "Series of portward_alerts_total that ended, as their policies had been gone for an hour or others needed the room.",
		labels: [],
		since: "0.2.0",
		samples: ({ alerts }) => one(alerts.retired),
	},
	{
		name: "portward_alerts_throttled_total",
		type: "counter",
		help: "Alerts that were raised and held back, as their policies raised too many (alertThrottling).",
		labels: [],
		since: "0.2.0",
		samples: ({ alerts }) => one(alerts.throttled),
	},
	{
		name: "portward_alerts_dropped_total",
		type: "counter",
		help: "Alerts that an outlet (stdout, file, stream, sinks) could not take, and log records the kernel dropped unread (kernel).",
		labels: ["reason"],
		since: "0.2.0",
		samples: ({ state, alerts }) => {
			const kernel = state.enforcers.reduce((sum, { recordsLost }) => sum + recordsLost, 0);
			return byKey("reason", { ...alerts.dropped, kernel });
		},
	},
];
