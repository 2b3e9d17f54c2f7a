/** Metrics about what is forwarded to and from guests, and whether policies are asked about it. Pure. */

import { byKey, type MetricGroup, one } from "../../../../report/metrics/group.ts";
import type { NetworkEnforcerState } from "../network-status.ts";

export interface ForwardingFacts {
	readonly state: Pick<NetworkEnforcerState, "guests">;
	/** Whether the kernel forwards packets of a family. */
	readonly forwards: { readonly ipv4: boolean; readonly ipv6: boolean };
}

const modes = ["off", "audit", "enforce"] as const;

export const forwardingMetrics: MetricGroup<ForwardingFacts> = [
	{
		name: "portward_forwarding",
		type: "gauge",
		help: "Whether this host forwards packets of a family.",
		labels: ["family"],
		since: "0.2.0",
		samples: ({ forwards }) => byKey("family", { ipv4: Number(forwards.ipv4), ipv6: Number(forwards.ipv6) }),
	},
	{
		name: "portward_guests_forwarded",
		type: "gauge",
		help: "Whether policies hold for what is forwarded to and from guests: 1 for the mode of guests.forwarded.",
		labels: ["mode"],
		since: "0.2.0",
		samples: ({ state: { guests } }) =>
			byKey("mode", Object.fromEntries(modes.map((mode) => [mode, Number(mode === guests.forwarded)]))),
	},
	{
		name: "portward_forwarded_would_block_packets",
		type: "gauge",
		help: "Forwarded packets that the rules in force would have blocked; absent unless guests.forwarded is audit.",
		labels: [],
		since: "0.2.0",
		samples: ({ state: { guests } }) =>
			guests.wouldHaveBlocked === null ? [] : one(guests.wouldHaveBlocked),
	},
];
