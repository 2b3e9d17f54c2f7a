/** Alerts about flows that no recommendation was made from. Pure. */

import type { Alert, HostIdentity } from "../../../../report/alert.ts";
import { systemAlert } from "../../../../report/system-alert.ts";
import type { FlowJson } from "../../history/seen-flow.ts";

const common = {
	severity: 3,
	tags: ["NEW-FLOW"],
	action: "Audit",
	enforcer: "NetworkPolicyEnforcer",
} as const;

/** @param time milliseconds since the epoch. */
export function newFlowAlert(flow: FlowJson, time: number, host: HostIdentity): Alert {
	const { direction, protocol, remote, port, interface: name, hook, guest, action, policy } = flow;
	const service = port === null ? protocol : `${protocol} ${port}`;
	const way = direction === "ingress" ? `from ${remote} to ${service}` : `to ${remote} ${service}`;
	const forwarded = guest === null ? "" : ` of guest ${guest}`;
	return systemAlert(
		{
			...common,
			time,
			resource: "flows",
			message: `A flow that no recommendation was made from: ${direction} ${way} on ${name}${forwarded}; portward flows --new lists them`,
			eventData: {
				Direction: direction,
				Protocol: protocol,
				Remote: remote,
				Port: port === null ? "" : String(port),
				Interface: name,
				Hook: hook,
				Guest: guest ?? "",
				Verdict: action,
				Policy: policy ?? "",
			},
		},
		host,
	);
}

/** What stands for the alerts of those that were too many. */
export function moreNewFlowsAlert(count: number, time: number, host: HostIdentity): Alert {
	return systemAlert(
		{
			...common,
			time,
			resource: "flows",
			message: `${count} more flows that no recommendation was made from came within a minute; portward flows --new lists them`,
			eventData: { Flows: String(count) },
		},
		host,
	);
}
