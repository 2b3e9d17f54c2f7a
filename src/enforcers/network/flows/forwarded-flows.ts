/**
 * Open flows of guests, in the roles in which the forward chain would judge a
 * packet that opens them. What a guest's sockets would tell about a flow lies in
 * another network namespace; so where its entry may be one that was made anew
 * and turned round by whoever spoke next, the ports tell. Pure.
 */

import type { Direction } from "../../../base/model.ts";
import { tcp, udp } from "../../../base/protocol.ts";
import type { JudgedFlow, TrackedFlow, Tuple } from "./open-connections.ts";

/** Who is who, as far as judging needs it. */
export interface GuestSide {
	isLocal(address: string): boolean;
	/** Whether an address is behind an interface that leads to guests. */
	isGuest(address: string): boolean;
	/** Whether the kernel gives a port to sockets that ask for none. */
	isEphemeral(port: number): boolean;
}

/** The likeliest role first; none for flows of the host itself, of nobody here, and of guests among themselves. */
export function forwardedRoles(flow: TrackedFlow, side: GuestSide): readonly JudgedFlow[] {
	const { original, reply } = flow;
	if (side.isLocal(original.source) || side.isLocal(reply.source)) return [];
	if (side.isGuest(reply.source)) return toGuest(flow, side);
	return side.isGuest(original.source) ? fromGuest(flow, side) : [];
}

/** To a published port, whoever sends; without translation from other hosts alone. */
function toGuest(flow: TrackedFlow, side: GuestSide): readonly JudgedFlow[] {
	const { original, reply } = flow;
	const published = isTranslated(original, reply);
	if (!published && side.isGuest(original.source)) return [];
	const ends = {
		guest: reply.source,
		guestPort: reply.sourcePort,
		remote: original.source,
		remotePort: original.sourcePort,
	};
	const asked = inDirection(flow, "ingress", ends, published ? original.destinationPort : ends.guestPort);
	// To translate what belongs to no flow takes who opens it; so that end did.
	const turned = !published && mayBeTurned(flow, ends.remotePort, ends.guestPort, side);
	return turned ? [asked, inDirection(flow, "egress", ends, ends.remotePort)] : [asked];
}

function fromGuest(flow: TrackedFlow, side: GuestSide): readonly JudgedFlow[] {
	const { original, reply } = flow;
	const ends = {
		guest: original.source,
		guestPort: original.sourcePort,
		remote: reply.source,
		remotePort: reply.sourcePort,
	};
	const sent = inDirection(flow, "egress", ends, ends.remotePort);
	if (!mayBeTurned(flow, ends.guestPort, ends.remotePort, side)) return [sent];
	// The outside sees the port that the source is translated to.
	return [sent, inDirection(flow, "ingress", ends, reply.destinationPort)];
}

/** Whether the destination of its first packet was translated. */
function isTranslated(original: Tuple, reply: Tuple): boolean {
	return original.destination !== reply.source || original.destinationPort !== reply.sourcePort;
}

/** Whether who sent an entry's first packet looks like the end that serves. The same port at both (NTP, IKE) is neither's. */
function mayBeTurned({ protocol }: TrackedFlow, from: number, to: number, side: GuestSide): boolean {
	if (protocol !== tcp && protocol !== udp) return false;
	return from !== to && !side.isEphemeral(from) && (from < to || side.isEphemeral(to));
}

interface Ends {
	readonly guest: string;
	readonly guestPort: number;
	readonly remote: string;
	readonly remotePort: number;
}

function inDirection(
	{ family, protocol, icmpType }: TrackedFlow,
	direction: Direction,
	{ guest, guestPort, remote, remotePort }: Ends,
	destinationPort: number,
): JudgedFlow {
	const hostPort =
		direction === "ingress" && destinationPort !== guestPort ? { hostPort: destinationPort } : {};
	return {
		direction,
		forwarded: true,
		family,
		local: guest,
		remote,
		protocol,
		...(icmpType === undefined ? {} : { icmpType }),
		destinationPort,
		cut: { family, remote, protocol, remotePort, localPort: guestPort, forwarded: true, ...hostPort },
	};
}
