/**
 * What was seen on the network, added up: all packets and connections that look the same to a policy are one flow.
 * `flows` shows it, `recommend` and `simulate` read it.
 */

import { type Address, formatAddress, formatCidr } from "../../../base/cidr.ts";
import type { Action, Cidr, Direction, Protocol } from "../../../base/model.ts";
import { protocolText } from "../../../base/protocol.ts";

/** Where the packets were judged: at the host itself, or on the way to or from a guest. */
export type FlowHook = "input" | "output" | "forward";

export interface SeenFlow {
	/** Of who opened the flow, as connection tracking saw it: `ingress` was opened by the remote end. */
	readonly direction: Direction;
	readonly hook: FlowHook;
	readonly protocol: Protocol;
	/** The remote end: one address, or the block into which rare flows were merged. */
	readonly remote: Cidr;
	/** The service's port, 1..65535: this host's own for ingress, the remote one for egress. Null where the protocol has none. */
	readonly port: number | null;
	/** The link towards the remote end, as the kernel names it. */
	readonly interface: string;
	/** The guest's address where the flow was forwarded; else null. */
	readonly guest: Address | null;
	/** What happened to it. `Audit` is a flow that passed and was told. */
	readonly action: Action;
	/** The policy that decided, `DefaultPosture` where none did, null where nobody can say any more. */
	readonly policy: string | null;
	/** New flows, at least 1. */
	readonly count: number;
	/** Null where the kernel does not count them. */
	readonly bytes: number | null;
	/** Milliseconds since the epoch; the first is never after the last. */
	readonly firstSeen: number;
	readonly lastSeen: number;
	/** Not among the flows that a recommendation was made from. False where none was made. */
	readonly isNew: boolean;
}

export interface SeenHistory {
	/** When watching began, or the time that the reader asked for; milliseconds since the epoch. */
	readonly since: number;
	readonly flows: readonly SeenFlow[];
	/** Flows that were too many to be kept apart, and lie in blocks of addresses. */
	readonly merged: number;
	/** Flows of which nothing is known but that they were. */
	readonly lost: number;
}

/** A flow as `flows --json` and `/v1/flows` give it. */
export interface FlowJson {
	readonly direction: Direction;
	readonly protocol: string;
	readonly remote: string;
	readonly port: number | null;
	readonly interface: string;
	readonly hook: FlowHook;
	readonly guest: string | null;
	readonly action: Action;
	readonly policy: string | null;
	readonly count: number;
	readonly bytes: number | null;
	readonly firstSeen: string;
	readonly lastSeen: string;
	readonly new: boolean;
}

export interface HistoryJson {
	readonly since: string;
	readonly flows: readonly FlowJson[];
	readonly merged: number;
	readonly lost: number;
}

/** One address as it is, without a prefix; a block of several as a CIDR. */
export function remoteText(remote: Cidr): string {
	return remote.prefix === (remote.family === 4 ? 32 : 128)
		? formatAddress(remote.family, remote.base)
		: formatCidr(remote);
}

export function flowJson(flow: SeenFlow): FlowJson {
	return {
		direction: flow.direction,
		protocol: protocolText(flow.protocol),
		remote: remoteText(flow.remote),
		port: flow.port,
		interface: flow.interface,
		hook: flow.hook,
		guest: flow.guest === null ? null : formatAddress(flow.guest.family, flow.guest.value),
		action: flow.action,
		policy: flow.policy,
		count: flow.count,
		bytes: flow.bytes,
		firstSeen: new Date(flow.firstSeen).toISOString(),
		lastSeen: new Date(flow.lastSeen).toISOString(),
		new: flow.isNew,
	};
}

export function historyJson(history: SeenHistory): HistoryJson {
	return {
		since: new Date(history.since).toISOString(),
		flows: history.flows.map(flowJson),
		merged: history.merged,
		lost: history.lost,
	};
}
