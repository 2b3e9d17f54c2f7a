/** From a logged packet and the rule that decided it to the alert that reports it. Pure. */

import { protocolLabel, protocolNames, protocolOf } from "../../../base/protocol.ts";
import { type Alert, formatData, formatTime, type HostIdentity, resultOf } from "../../../report/alert.ts";
import type { CompiledRule } from "../compile/plan.ts";
import type { PacketEvent, PacketSummary } from "../observe/event.ts";

/** The name that policies can write, such as `TCP`, `ICMPv6` or `GRE`; `Proto-N`, as KubeArmor has it, without one. */
export function protocolName(protocol: number): string {
	const name = protocolLabel(protocolOf(protocol));
	return protocolNames.includes(name) ? name : `Proto-${protocol}`;
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
