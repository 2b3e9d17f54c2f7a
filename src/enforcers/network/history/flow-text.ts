/** A flow that was seen, in words. */

import { formatAddress } from "../../../base/cidr.ts";
import { protocolText } from "../../../base/protocol.ts";
import { remoteText, type SeenFlow } from "./seen-flow.ts";

/** `ingress tcp 22 from 10.0.0.1 on eth0, 3 times, last 2026-11-30T08:00:00.000Z`; not escaped. */
export function flowText(flow: SeenFlow): string {
	const { count, lastSeen } = flow;
	const times = count === 1 ? "once" : `${count} times`;
	return `${flowPlace(flow)}, ${times}, last ${new Date(lastSeen).toISOString()}`;
}

/** `ingress tcp 22 from 10.0.0.1 on eth0`, `egress icmp to 10.0.0.1 on eth0 of guest 172.17.0.2`. */
export function flowPlace({ direction, protocol, port, remote, interface: name, guest }: SeenFlow): string {
	const way = direction === "ingress" ? "from" : "to";
	const service = `${direction} ${protocolText(protocol)}${port === null ? "" : ` ${port}`}`;
	const end = guest === null ? "" : ` of guest ${formatAddress(guest.family, guest.value)}`;
	return `${service} ${way} ${remoteText(remote)} on ${name}${end}`;
}
