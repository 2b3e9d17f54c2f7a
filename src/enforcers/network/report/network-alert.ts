/** From a logged packet and the rule that decided it to the alert that reports it. Pure. */

import type { Direction } from "../../../base/model.ts";
import { protocolLabel, protocolNames, protocolOf } from "../../../base/protocol.ts";
import {
	type Alert,
	auditedBlock,
	formatData,
	formatTime,
	type HostIdentity,
	resultOf,
} from "../../../report/alert.ts";
import type { CompiledRule } from "../compile/plan.ts";
import type { ForwardedPacket, PacketEvent, PacketSummary } from "../observe/event.ts";

/** What stands for the policies that are staged where none is. */
const stagedPostureSetting = "stagedNetworkPosture";

/** The name that policies can write, such as `TCP`, `ICMPv6` or `GRE`; `Proto-N`, as KubeArmor has it, without one. */
export function protocolName(protocol: number): string {
	const name = protocolLabel(protocolOf(protocol));
	return protocolNames.includes(name) ? name : `Proto-${protocol}`;
}

function networkEventData(
	event: PacketEvent,
	{ direction, index, wouldBe, staged, limit }: CompiledRule,
): Record<string, string> {
	const { packet, forwarded } = event;
	const data: Record<string, string> = {};
	// Of a published port policies name the host's address and port, which the packet had before its translation.
	const asked = direction === "ingress" ? forwarded?.original : null;
	const port = asked && packet.destinationPort !== null ? asked.destinationPort : packet.destinationPort;
	const guestSide = direction === "egress" ? event.interface : forwarded?.outInterface;
	const name = direction === "egress" && forwarded !== undefined ? forwarded.outInterface : event.interface;
	if (packet.source !== null) data.SourceIP = packet.source;
	if (packet.sourcePort !== null) data.SourcePort = String(packet.sourcePort);
	if (packet.destination !== null) data.DestinationIP = asked?.destination ?? packet.destination;
	if (port !== null) data.DestinationPort = String(port);
	if (packet.protocol !== null) data.Protocol = protocolName(packet.protocol);
	if (name !== "") data.Interface = name;
	if (forwarded !== undefined) addGuest(data, packet, direction, forwarded.containers);
	if (forwarded !== undefined && guestSide) data.GuestInterface = guestSide;
	if (index >= 0) data.RuleIndex = String(index);
	if (limit !== undefined) {
		data.Limit = `${limit.limit} ${limit.text}`;
		data.LimitReason = limit.reason;
	}
	if (wouldBe !== undefined) data.WouldBe = wouldBe;
	// Without a policy it is the posture that is staged.
	if (staged !== undefined) data.Staged = staged.join(",") || stagedPostureSetting;
	return data;
}

/** The end of a forwarded packet that lives on this host. */
function addGuest(
	data: Record<string, string>,
	packet: PacketSummary,
	direction: Direction,
	containers: ForwardedPacket["containers"],
): void {
	const [address, port, owners] =
		direction === "ingress"
			? [packet.destination, packet.destinationPort, containers?.destination]
			: [packet.source, packet.sourcePort, containers?.source];
	data.Hook = "forward";
	if (address !== null) data.GuestIP = address;
	if (port !== null) data.GuestPort = String(port);
	if (owners !== undefined && owners.length > 0) data.Container = owners.join(",");
}

/** The alert for one packet. The posture has no rule, so its alerts carry no RuleIndex. */
export function networkAlert(event: PacketEvent, rule: CompiledRule, host: HostIdentity): Alert {
	const spared = event.forwarded !== undefined && rule.sparesForwarded === true;
	// A staged quota may be one that tells alone, and blocks nothing in force either.
	const wouldBlock = rule.staged !== undefined && rule.wouldBe === "Block";
	const audited = spared || wouldBlock || rule.limit?.audited === true;
	const action = audited ? auditedBlock : rule.action;
	const eventData = networkEventData(event, spared ? { ...rule, wouldBe: "Block" } : rule);
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
		Action: action,
		Result: resultOf(action),
	};
}
