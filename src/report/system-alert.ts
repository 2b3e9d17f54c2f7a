/** Alerts about the daemon's own state, such as somebody else changing its table. Pure. */

import type { Action } from "../base/model.ts";
import type { Alert } from "./alert.ts";
import { formatData, formatTime, type HostIdentity, resultOf } from "./alert.ts";

export interface SystemEvent {
	/** Milliseconds since the epoch. */
	readonly time: number;
	/** What it is about, such as `table inet kubearmor`. */
	readonly resource: string;
	readonly message: string;
	/** 1..10. */
	readonly severity: number;
	readonly tags: readonly string[];
	/** Audit reports what was let happen, Block what was undone or refused. */
	readonly action: Action;
	readonly enforcer: Alert["Enforcer"];
	/** Details, in the order in which Data prints them. Empty values are left out. */
	readonly eventData: Readonly<Record<string, string>>;
}

/** The alert for an event of the daemon itself: no policy decided it, so PolicyName is empty. */
export function systemAlert(event: SystemEvent, host: HostIdentity): Alert {
	const eventData = Object.fromEntries(Object.entries(event.eventData).filter(([, value]) => value !== ""));
	return {
		Timestamp: Math.floor(event.time / 1000),
		UpdatedTime: formatTime(event.time),
		ClusterName: host.clusterName,
		HostName: host.hostName,
		NodeID: host.nodeId,
		PolicyName: "",
		Severity: String(event.severity),
		Tags: event.tags.join(","),
		ATags: event.tags,
		Message: event.message,
		Type: "SystemEvent",
		Operation: "System",
		Resource: event.resource,
		Data: formatData(eventData),
		EventData: eventData,
		Enforcer: event.enforcer,
		Action: event.action,
		Result: resultOf(event.action),
	};
}

/** The alert for a host that has another name than before: other policies may be for it. `time`: ms since the epoch. */
export function hostNameAlert(before: string, now: string, time: number, host: HostIdentity): Alert {
	return systemAlert(
		{
			time,
			resource: "host name",
			message: `The host name changed from ${JSON.stringify(before)} to ${JSON.stringify(now)}; the policies are selected anew`,
			severity: 5,
			tags: ["HOST"],
			action: "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: { Before: before, Now: now },
		},
		host,
	);
}
