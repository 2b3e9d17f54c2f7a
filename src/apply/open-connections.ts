/**
 * Which open connections a new set of policies ends. Established packets are
 * accepted before any policy is asked, so an explicit Block has to reach back
 * to the connections that an earlier set let in. The posture does not.
 */

import type { Direction, Family } from "../policy/model.ts";
import type { CutFlow } from "./transaction.ts";

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

/** The flow as the chain of its direction saw its first packet. */
export interface JudgedFlow {
	readonly direction: Direction;
	readonly family: Family;
	readonly remote: string;
	readonly protocol: number;
	/** Of ICMP and ICMPv6 alone: the type of the first packet. */
	readonly icmpType?: number;
	/** The port that policies speak of. */
	readonly destinationPort: number;
	readonly cut: CutFlow;
}

/** `all`: blocked on every interface. `some`: on some, so its next packet must be judged again. */
export type Blocked = "all" | "some" | "none";

/**
 * The direction and remote end of a flow; null for loopback and forwarded
 * ones, which no policy speaks of. Input chains see addresses after destination
 * translation and before source translation; output chains after both.
 */
export function judgeable(flow: TrackedFlow, isLocal: (address: string) => boolean): JudgedFlow | null {
	const { original, reply, family, protocol, icmpType = null } = flow;
	const outgoing = isLocal(original.source);
	const incoming = isLocal(reply.source);
	if (outgoing === incoming) return null;
	const remote = outgoing ? reply.source : original.source;
	const remotePort = outgoing ? reply.sourcePort : original.sourcePort;
	const localPort = outgoing ? original.sourcePort : reply.sourcePort;
	return {
		direction: outgoing ? "egress" : "ingress",
		family,
		remote,
		protocol,
		...(icmpType === null ? {} : { icmpType }),
		destinationPort: reply.sourcePort,
		cut: { family, remote, protocol, remotePort, localPort },
	};
}

/** What a refused tuple may stand for: the kernel's set does not say which side opened the flow. */
export function possibleFlows(cut: CutFlow): readonly JudgedFlow[] {
	const { family, remote, protocol, remotePort, localPort } = cut;
	const flow = { family, remote, protocol, cut };
	return [
		{ ...flow, direction: "ingress", destinationPort: localPort },
		{ ...flow, direction: "egress", destinationPort: remotePort },
	];
}

/** What becomes of the open flows. */
export interface Verdicts<F extends TrackedFlow> {
	/** Entries to delete. */
	readonly ended: readonly F[];
	/** Of these, those whose tuple is to be refused in both directions; a reply must not open the flow anew. */
	readonly refused: readonly JudgedFlow[];
}

/** Asks `blocked` about every flow. */
export function judgeFlows<F extends TrackedFlow>(
	flows: Iterable<F>,
	isLocal: (address: string) => boolean,
	blocked: (judged: JudgedFlow, flow: F) => Blocked,
): Verdicts<F> {
	const ended: F[] = [];
	const refused: JudgedFlow[] = [];
	for (const flow of flows) {
		const judged = judgeable(flow, isLocal);
		if (!judged) continue;
		const verdict = blocked(judged, flow);
		if (verdict === "none") continue;
		ended.push(flow);
		if (verdict === "all") refused.push(judged);
	}
	return { ended, refused };
}
