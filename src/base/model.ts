/**
 * The typed meaning of policy files. Nothing here is raw text from a file but
 * names, messages and tags, and those are never rendered into kernel commands.
 * All values are plain data: they cross Worker boundaries by structured clone.
 */

import type { Place } from "./diagnostic.ts";

export type Action = "Allow" | "Audit" | "Block";
/** Whose rules those are that decide what no policy does. */
export const postureName = "DefaultPosture";
/** `enforce`: rules do what they say. `audit`: nothing is refused. */
export type Enforcement = "enforce" | "audit";
export type Direction = "ingress" | "egress";
export const directions: readonly Direction[] = ["ingress", "egress"];
export type Family = 4 | 6;
export type Transport = "tcp" | "udp" | "sctp";
/** A transport, or the number of any other IP protocol, 0..255; never 6, 17 or 132. */
export type Protocol = Transport | number;

/** An address block, host bits clear. `base` is the first address as an unsigned integer. */
export interface Cidr {
	readonly family: Family;
	readonly base: bigint;
	/** 0..32 for IPv4, 0..128 for IPv6. */
	readonly prefix: number;
}

/** An inclusive port range, 1..65535. */
export interface PortRange {
	readonly first: number;
	readonly last: number;
}

/** An interface name (at most 15 bytes), or with `prefix` the beginning of one (`eth*` is {name:"eth", prefix:true}). */
export interface InterfaceMatch {
	readonly name: string;
	readonly prefix: boolean;
}

/** New flows that are accepted whatever the policies say. A null field matches everything; a port has a transport. */
export interface FailsafeRule {
	readonly protocol: Protocol | null;
	/** 0..255, of ICMP and ICMPv6 alone. Absent or null: every type. */
	readonly icmpType?: number | null;
	/** The remote end. Null: any address of both families. */
	readonly cidr: Cidr | null;
	/** The destination port: the host's own for ingress, the remote one for egress. */
	readonly port: PortRange | null;
	readonly interface: InterfaceMatch | null;
}

/** `nodeSelector.matchLabels`: every pair must match; no pairs select nothing. */
export interface NodeSelector {
	readonly matchLabels: Readonly<Record<string, string>>;
	readonly place: Place;
}
