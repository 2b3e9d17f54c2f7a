/** One alert with KubeArmor's field names, as its gRPC clients print them. */

import type { Action } from "../policy/model.ts";

export interface Alert {
	/** Seconds since the epoch. */
	readonly Timestamp: number;
	/** RFC 3339 in UTC with microseconds. */
	readonly UpdatedTime: string;
	readonly ClusterName: string;
	readonly HostName: string;
	readonly NodeID: string;
	/** "DefaultPosture" when the posture decided. */
	readonly PolicyName: string;
	/** "1".."10". */
	readonly Severity: string;
	/** Comma-separated. */
	readonly Tags: string;
	readonly ATags: readonly string[];
	readonly Message: string;
	readonly Type: "MatchedNetworkPolicy" | "MatchedHostPolicy" | "HostLog" | "SystemEvent";
	readonly Operation: "NetworkFirewall" | "Device" | "System";
	readonly Resource: string;
	/** Space-separated Key=Value pairs of EventData. */
	readonly Data: string;
	readonly EventData: Readonly<Record<string, string>>;
	readonly Enforcer: "NetworkPolicyEnforcer" | "USBDeviceHandler";
	readonly Action: Action;
	readonly Result: "Passed" | "Permission denied" | "Removed";
}
