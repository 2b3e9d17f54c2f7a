/**
 * In which roles an open flow has to be judged. An entry of connection
 * tracking says which packet made it, not who opened the flow: one that was
 * forgotten is made anew by whoever speaks next, turned round perhaps. So the
 * host's own sockets say who serves, and where they leave it open both roles
 * are judged. Pure.
 */

import type { Direction } from "../../../base/model.ts";
import { tcp, udp } from "../../../base/protocol.ts";

/** What is known of one flow. */
export interface FlowEvidence {
	readonly protocol: number;
	readonly localPort: number;
	readonly remotePort: number;
	/** Which way the first packet of its entry went; null where connection tracking does not know it. */
	readonly entry: Direction | null;
	/** A socket of this host has this very peer. */
	readonly connected: boolean;
	/** See DiagSocket; null where unknown. */
	readonly surplus: number | null;
	/** A socket waits on the local port for whoever comes. */
	readonly served: boolean;
	/** Whether the kernel gives a port to sockets that ask for none. */
	readonly ephemeral: (port: number) => boolean;
}

/** The roles in which a flow is judged, the likeliest first. Never empty where there is an entry or a socket. */
export function rolesOf(evidence: FlowEvidence): readonly Direction[] {
	const { protocol, entry } = evidence;
	const roles =
		protocol === tcp
			? tcpRoles(evidence)
			: protocol === udp
				? udpRoles(evidence)
				: entry === null
					? []
					: [entry];
	return [...new Set(roles)];
}

/** The byte counts of a socket prove that it opened the connection, or together with a listener that it did not. */
function tcpRoles({ connected, surplus, served, entry }: FlowEvidence): Direction[] {
	const own = entry === null ? [] : [entry];
	if (!connected) return served ? [...own, "ingress"] : own;
	if (surplus === 1) return ["egress"];
	if (served) return surplus === 0 ? ["ingress"] : ["ingress", ...own];
	// Who listened may have stopped since.
	return surplus === 0 ? ["ingress", "egress"] : ["egress", ...own];
}

/**
 * A UDP socket without a peer may serve and may ask. Ports that the kernel gives are a client's, unless the other end
 * has one as well; the same port at both ends (NTP, IKE) is neither's, so the entry decides.
 */
function udpRoles({ connected, served, entry, localPort, remotePort, ephemeral }: FlowEvidence): Direction[] {
	const own = entry === null ? [] : [entry];
	if (connected) return served ? ["ingress", ...own] : ["egress", ...own];
	if (!served || localPort === remotePort) return own;
	const asks = ephemeral(localPort) && !ephemeral(remotePort);
	if (entry === "ingress") return asks ? ["ingress", "egress"] : ["ingress"];
	return asks ? own : [...own, "ingress"];
}
