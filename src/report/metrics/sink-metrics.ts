/** Metrics of sinks: what waits, what was sent, and what never will be. Pure. */

import type { SinkState } from "../sink-status.ts";
import type { DaemonState } from "../status.ts";
import type { Sample } from "./exposition.ts";
import type { MetricGroup } from "./group.ts";

interface Input {
	readonly state: Pick<DaemonState, "sinks">;
}

const each = (value: (sink: SinkState) => number) => (input: Input) =>
	input.state.sinks.map((sink): Sample => ({ labels: { sink: sink.name }, value: value(sink) }));

export const sinkMetrics: MetricGroup<Input> = [
	{
		name: "portward_sink_queue_alerts",
		type: "gauge",
		help: "Alerts that wait in a sink's queue.",
		labels: ["sink"],
		since: "0.2.0",
		samples: each(({ queued }) => queued),
	},
	{
		name: "portward_sink_queue_bytes",
		type: "gauge",
		help: "Bytes of the alerts that wait in a sink's queue.",
		labels: ["sink"],
		since: "0.2.0",
		samples: each(({ queuedBytes }) => queuedBytes),
	},
	{
		name: "portward_sink_failing",
		type: "gauge",
		help: "Whether the last attempt of a sink to send alerts failed.",
		labels: ["sink"],
		since: "0.2.0",
		samples: each(({ state }) => (state === "failing" ? 1 : 0)),
	},
	{
		name: "portward_sink_blocked",
		type: "gauge",
		help: "Whether the egress policies in force block what a sink sends to.",
		labels: ["sink"],
		since: "0.2.0",
		samples: each(({ blocked }) => (blocked === "" ? 0 : 1)),
	},
	{
		name: "portward_sink_sent_total",
		type: "counter",
		help: "Alerts that a sink's receiver has taken.",
		labels: ["sink"],
		since: "0.2.0",
		samples: each(({ sent }) => sent),
	},
	{
		name: "portward_sink_cut_total",
		type: "counter",
		help: "Alerts that were sent shorter than they are, as no message may be so long.",
		labels: ["sink"],
		since: "0.2.0",
		samples: each(({ cut }) => cut),
	},
	{
		name: "portward_sink_dropped_total",
		type: "counter",
		help: "Alerts that never reached a sink's receiver: its queue was full, the receiver refused them, or they were lost with their queue.",
		labels: ["sink", "reason"],
		since: "0.2.0",
		samples: ({ state }) =>
			state.sinks.flatMap(({ name, dropped }) =>
				Object.entries(dropped).map(([reason, value]) => ({ labels: { sink: name, reason }, value })),
			),
	},
	{
		name: "portward_sink_errors_total",
		type: "counter",
		help: "Attempts of a sink to send alerts that failed.",
		labels: ["sink"],
		since: "0.2.0",
		samples: each(({ errors }) => errors),
	},
	{
		name: "portward_sink_last_success_timestamp_seconds",
		type: "gauge",
		help: "When a sink's receiver last took alerts; absent before the first.",
		labels: ["sink"],
		since: "0.2.0",
		samples: ({ state }) =>
			state.sinks.flatMap(({ name, lastSuccess }) =>
				lastSuccess === null ? [] : [{ labels: { sink: name }, value: lastSuccess / 1000 }],
			),
	},
];
