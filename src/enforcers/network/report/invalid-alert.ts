/** The alert for packets that belong to no flow, which are dropped before any policy is asked. Pure. */

import type { Alert, HostIdentity } from "../../../report/alert.ts";
import { systemAlert } from "../../../report/system-alert.ts";
import type { InvalidPackets } from "./network-status.ts";

/** @param dropped packets since the alert before. @param time milliseconds since the epoch. */
export function invalidAlert(dropped: InvalidPackets, time: number, host: HostIdentity): Alert {
	const { ingress, egress, forward } = dropped;
	return systemAlert(
		{
			time,
			resource: "packets that belong to no flow",
			message:
				`${ingress + egress + forward} packets that belong to no flow were dropped ` +
				`(${ingress} ingress, ${egress} egress, ${forward} forwarded). ` +
				"Where this host sees only one half of its flows, write invalidPackets: accept in the settings",
			severity: 2,
			tags: ["INVALID"],
			action: "Block",
			enforcer: "NetworkPolicyEnforcer",
			eventData: { Ingress: String(ingress), Egress: String(egress), Forward: String(forward) },
		},
		host,
	);
}
