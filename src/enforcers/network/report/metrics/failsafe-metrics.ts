/** Metrics about what no policy can refuse. Pure. */

import type { Sample } from "../../../../report/metrics/exposition.ts";
import type { MetricGroup } from "../../../../report/metrics/group.ts";
import type { FailsafeCount, NetworkEnforcerState } from "../network-status.ts";

interface Input {
	readonly state: Pick<NetworkEnforcerState, "failsafe">;
}

function samples({ state }: Input, value: (rule: FailsafeCount) => number): Sample[] {
	return state.failsafe.map((rule) => ({
		labels: {
			direction: rule.direction,
			index: String(rule.index),
			protocol: rule.protocol ?? "any",
			cidr: rule.cidr ?? "any",
			port: rule.port ?? "any",
			interface: rule.interface ?? "any",
		},
		value: value(rule),
	}));
}

export const failsafeMetrics: MetricGroup<Input> = [
	{
		name: "portward_failsafe_packets_total",
		type: "counter",
		help: "Packets of new flows that a failsafe rule accepted before any policy was asked.",
		labels: ["direction", "index", "protocol", "cidr", "port", "interface"],
		since: "0.2.0",
		samples: (input) => samples(input, ({ packets }) => packets),
	},
	{
		name: "portward_failsafe_bytes_total",
		type: "counter",
		help: "Bytes of the packets that a failsafe rule accepted before any policy was asked.",
		labels: ["direction", "index", "protocol", "cidr", "port", "interface"],
		since: "0.2.0",
		samples: (input) => samples(input, ({ bytes }) => bytes),
	},
];
