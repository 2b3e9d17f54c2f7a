/** One alert with KubeArmor's field names, as its gRPC clients print them. */

import type { Action } from "../base/model.ts";
import { escapeForTerminal } from "../base/terminal.ts";

/** A Block that is told and not carried out, in KubeArmor's words. */
export const auditedBlock = "Audit (Block)";

export type AlertAction = Action | typeof auditedBlock;

/** The action as which an alert is counted and looked for. */
export function plainAction(action: AlertAction): Action {
	return action === auditedBlock ? "Audit" : action;
}

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
	readonly Action: AlertAction;
	readonly Result: "Passed" | "Permission denied" | "Removed";
}

/** Who reports: the same in every alert of one daemon. */
export interface HostIdentity {
	readonly clusterName: string;
	readonly hostName: string;
	readonly nodeId: string;
}

/**
 * RFC 3339 in UTC with six fractional digits. `time` is in milliseconds since
 * the epoch and may have a fraction; times outside years 0..9999 become the epoch.
 */
export function formatTime(time: number): string {
	const microseconds = Math.round(time * 1000);
	const valid = microseconds >= -62_167_219_200_000_000 && microseconds < 253_402_300_800_000_000;
	const whole = valid ? microseconds : 0;
	const milliseconds = Math.floor(whole / 1000);
	const rest = whole - milliseconds * 1000;
	return `${new Date(milliseconds).toISOString().slice(0, 23)}${String(rest).padStart(3, "0")}Z`;
}

/** Space-separated Key=Value pairs in the record's own order; a space or control inside a value is escaped. */
export function formatData(eventData: Readonly<Record<string, string>>): string {
	return Object.entries(eventData)
		.map(([key, value]) => `${key}=${escapeForTerminal(value).replaceAll(" ", "\\x20")}`)
		.join(" ");
}

/** The pairs for a person to read, with spaces as they are. */
export function readableData(data: string): string {
	return data.replaceAll("\\x20", " ");
}

/** An alert's time for a person to read, to the millisecond. */
export function readableTime(updatedTime: string): string {
	return updatedTime.replace(/(\.\d{3})\d+/u, "$1");
}

/** What KubeArmor prints for an action: only Block denies. */
export function resultOf(action: AlertAction): Alert["Result"] {
	return action === "Block" ? "Permission denied" : "Passed";
}
