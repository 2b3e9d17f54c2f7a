/**
 * Which open connections a new set of policies ends. Established packets are
 * accepted before any policy is asked, so an explicit Block has to reach back
 * to the connections that an earlier set let in. The posture does not.
 */

import type { Direction, Family } from "../../../base/model.ts";
import type { SocketOwnership } from "../../../kernel/socket-diag.ts";
import type { CutFlow } from "../apply/refused-flows.ts";

/** A connection-tracking entry: the tuple of its first packet, and of the replies after address translation. */
export interface TrackedFlow {
	readonly family: Family;
	/** IP protocol number. */
	readonly protocol: number;
	/** Of ICMP and ICMPv6 alone: the type of the first packet. */
	readonly icmpType?: number;
	readonly original: Tuple;
	readonly reply: Tuple;
}

export interface Tuple {
	readonly source: string;
	readonly destination: string;
	/** 0 for protocols without ports. */
	readonly sourcePort: number;
	readonly destinationPort: number;
}

/** A flow in one role, as the chain of that direction sees a packet that opens it. */
export interface JudgedFlow {
	readonly direction: Direction;
	/** One end is a guest of this host, and `local` its address. */
	readonly forwarded?: true;
	readonly family: Family;
	/** This host's address in it; "" when it is not known. */
	readonly local: string;
	readonly remote: string;
	readonly protocol: number;
	/** Of ICMP and ICMPv6 alone: the type of the first packet. */
	readonly icmpType?: number;
	/** Of what this host sends, as far as its socket tells. */
	readonly owner?: SocketOwnership;
	/** The port that policies speak of. */
	readonly destinationPort: number;
	readonly cut: CutFlow;
}

/**
 * The direction and remote end of a flow as its entry has them; null for loopback and forwarded ones, which no
 * policy speaks of. Input chains see addresses after destination translation and before source translation; output
 * chains after both.
 */
export function judgeable(flow: TrackedFlow, isLocal: (address: string) => boolean): JudgedFlow | null {
	const outgoing = isLocal(flow.original.source);
	const incoming = isLocal(flow.reply.source);
	return outgoing === incoming ? null : asEntry(flow, outgoing ? "egress" : "ingress");
}

/** The flow in the direction of its entry's first packet. */
export function asEntry(
	{ original, reply, family, protocol, icmpType }: TrackedFlow,
	direction: Direction,
): JudgedFlow {
	const outgoing = direction === "egress";
	const remote = outgoing ? reply.source : original.source;
	const remotePort = outgoing ? reply.sourcePort : original.sourcePort;
	const localPort = outgoing ? original.sourcePort : reply.sourcePort;
	return {
		direction,
		family,
		local: outgoing ? original.source : reply.source,
		remote,
		protocol,
		...(icmpType === undefined ? {} : { icmpType }),
		destinationPort: reply.sourcePort,
		cut: { family, remote, protocol, remotePort, localPort },
	};
}

/** The same flow in one role: to this host's port, or to the other end's. */
export function inRole(flow: JudgedFlow, direction: Direction): JudgedFlow {
	if (flow.direction === direction) return flow;
	const { localPort, remotePort } = flow.cut;
	return { ...flow, direction, destinationPort: direction === "ingress" ? localPort : remotePort };
}

/** What a refused tuple may stand for: the kernel's set does not say which side opened the flow. */
export function possibleFlows(cut: CutFlow): readonly JudgedFlow[] {
	const { family, remote, protocol, localPort } = cut;
	const flow: JudgedFlow = {
		direction: "ingress",
		...(cut.forwarded ? { forwarded: true } : {}),
		family,
		local: "",
		remote,
		protocol,
		destinationPort: cut.hostPort ?? localPort,
		cut,
	};
	// What came by a published port was asked for.
	return cut.hostPort === undefined ? [flow, inRole(flow, "egress")] : [flow];
}
