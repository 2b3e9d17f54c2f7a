/** Metrics about packets of no flow, and open connections that were ended. Pure. */

import { byKey, type MetricGroup, one } from "../../../../report/metrics/group.ts";
import type { FlowCounts } from "../flow-alert.ts";
import type { NetworkEnforcerState } from "../network-status.ts";

export interface FlowFacts {
	readonly state: Pick<NetworkEnforcerState, "invalidPackets">;
	/** What became of open connections. */
	readonly flows: FlowCounts;
	/** Packets in the midst of connections that nobody tracks. */
	readonly midstreamPackets: number;
}

export const flowMetrics: MetricGroup<FlowFacts> = [
	{
		name: "portward_invalid_packets_total",
		type: "counter",
		help: "Packets dropped because connection tracking found them invalid.",
		labels: ["hook"],
		since: "0.2.0",
		samples: ({ state: { invalidPackets } }) => {
			const { ingress, egress, forward } = invalidPackets;
			return byKey("hook", { input: ingress, forward, output: egress });
		},
	},
	{
		name: "portward_open_connections_ended_total",
		type: "counter",
		help: "Open connections that were ended: by a Block, because they slipped in while the table was gone (loss), or at the first start.",
		labels: ["reason"],
		since: "0.2.0",
		samples: ({ flows: { blocked, loss, start } }) => byKey("reason", { block: blocked, loss, start }),
	},
	{
		name: "portward_refused_flows",
		type: "gauge",
		help: "Ended connections whose packets are refused.",
		labels: [],
		since: "0.2.0",
		samples: ({ flows }) => one(flows.refused),
	},
	{
		name: "portward_refused_flows_overflow",
		type: "gauge",
		help: "Ended connections whose packets should be refused, but there are too many.",
		labels: [],
		since: "0.2.0",
		samples: ({ flows }) => one(flows.overflow),
	},
	{
		name: "portward_midstream_packets_total",
		type: "counter",
		help: "Packets that this host sent in the midst of TCP connections that nobody tracks; they were dropped.",
		labels: [],
		since: "0.2.0",
		samples: ({ midstreamPackets }) => one(midstreamPackets),
	},
];
