/** From a logged packet and the rule that decided it to the alert that reports it. Pure. */

import type { CompiledRule } from "../compile/plan.ts";
import type { PacketEvent, PacketSummary } from "../observe/event.ts";
import type { Action } from "../policy/model.ts";
import { protocolLabel, protocolNames, protocolOf } from "../policy/protocol.ts";
import type { Alert } from "./alert.ts";
import { escapeForTerminal } from "./terminal.ts";

/** Who reports: the same in every alert of one daemon. */
export interface HostIdentity {
	readonly clusterName: string;
	readonly hostName: string;
	readonly nodeId: string;
}

/** The name that policies can write, such as `TCP`, `ICMPv6` or `GRE`; `Proto-N`, as KubeArmor has it, without one. */
export function protocolName(protocol: number): string {
	const name = protocolLabel(protocolOf(protocol));
	return protocolNames.includes(name) ? name : `Proto-${protocol}`;
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
export function resultOf(action: Action): Alert["Result"] {
	return action === "Block" ? "Permission denied" : "Passed";
}

function networkEventData(
	packet: PacketSummary,
	interfaceName: string,
	ruleIndex: number,
): Record<string, string> {
	const data: Record<string, string> = {};
	if (packet.source !== null) data.SourceIP = packet.source;
	if (packet.sourcePort !== null) data.SourcePort = String(packet.sourcePort);
	if (packet.destination !== null) data.DestinationIP = packet.destination;
	if (packet.destinationPort !== null) data.DestinationPort = String(packet.destinationPort);
	if (packet.protocol !== null) data.Protocol = protocolName(packet.protocol);
	if (interfaceName !== "") data.Interface = interfaceName;
	if (ruleIndex >= 0) data.RuleIndex = String(ruleIndex);
	return data;
}

/** The alert for one packet. The posture has no rule, so its alerts carry no RuleIndex. */
export function networkAlert(event: PacketEvent, rule: CompiledRule, host: HostIdentity): Alert {
	const eventData = networkEventData(event.packet, event.interface, rule.index);
	if (rule.wouldBe !== undefined) eventData.WouldBe = rule.wouldBe;
	return {
		Timestamp: Math.floor(event.time / 1000),
		UpdatedTime: formatTime(event.time),
		ClusterName: host.clusterName,
		HostName: host.hostName,
		NodeID: host.nodeId,
		PolicyName: rule.policy,
		Severity: String(rule.severity),
		Tags: rule.tags.join(","),
		ATags: rule.tags,
		Message: rule.message,
		Type: "MatchedNetworkPolicy",
		Operation: "NetworkFirewall",
		Resource: rule.direction === "ingress" ? "INGRESS" : "EGRESS",
		Data: formatData(eventData),
		EventData: eventData,
		Enforcer: "NetworkPolicyEnforcer",
		Action: rule.action,
		Result: resultOf(rule.action),
	};
}
