/** Flows that pass whatever the policies say, as far as a record of them tells. */

import { addressBits } from "../../../base/cidr.ts";
import { echoRequest } from "../../../base/icmp-type.ts";
import { icmpv6, igmp, isIcmp } from "../../../base/protocol.ts";
import { failsafeName } from "../compile/failsafe.ts";
import { findFailsafe, type NetworkModel, type Packet } from "../compile/program.ts";
import type { SeenFlow } from "./seen-flow.ts";

/** The kernel's loopback, of every host. */
const loopback = "lo";

/** A packet of the flow with an address of its remote end. The record has no source port, and ICMP is taken for an echo request. */
export function packetOf(flow: SeenFlow, address = flow.remote.base): Packet {
	const { direction, remote, protocol, port } = flow;
	return {
		direction,
		family: remote.family,
		address,
		interface: flow.interface,
		protocol,
		port: port ?? 0,
		source: isIcmp(protocol) ? echoRequest(protocol) : null,
	};
}

/** What `essentials` accepts of a host's own flows: see compile/render/essentials.ts. */
function isEssential({ direction, hook, protocol, port, remote }: SeenFlow): boolean {
	if (hook === "forward") return false;
	const [server, client] = remote.family === 4 ? [67, 68] : [547, 546];
	if (protocol === "udp") return port === (direction === "ingress" ? client : server);
	if (protocol === igmp) return true;
	return protocol === icmpv6 && isNearby(remote.base);
}

/** Link-local unicast, multicast or the unspecified address: what discovery and membership use. */
function isNearby(address: bigint): boolean {
	return address >> 118n === 0xfe80n >> 6n || address >> 120n === 0xffn || address === 0n;
}

/** Why no policy is asked about the flow, or null where they are. */
export function unasked(flow: SeenFlow, essentials: boolean): string | null {
	if (flow.interface === loopback) return "loopback always passes";
	return essentials && isEssential(flow) ? "passes as one of the essentials of a host's network" : null;
}

/**
 * Why the flow needs no rule, or null where one may be needed.
 * @param model of any policies: its failsafe rules are asked alone
 */
export function passesAnyway(flow: SeenFlow, model: NetworkModel, essentials: boolean): string | null {
	const beforehand = unasked(flow, essentials);
	const { family, prefix } = flow.remote;
	if (beforehand !== null || prefix < addressBits(family)) return beforehand;
	const found = findFailsafe(model[flow.direction], packetOf(flow));
	return found && `passes by ${failsafeName} ${found.direction}[${found.index}] of the settings`;
}
