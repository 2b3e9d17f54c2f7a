/**
 * The typed meaning of policy files. Nothing here is raw text from a file but
 * names, messages and tags, and those are never rendered into kernel commands.
 * All values are plain data: they cross Worker boundaries by structured clone.
 */

import type { Place } from "./diagnostic.ts";

export type Action = "Allow" | "Audit" | "Block";
/** `enforce`: rules do what they say. `audit`: nothing is refused. */
export type Enforcement = "enforce" | "audit";
export type Direction = "ingress" | "egress";
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

/** One `from`/`to` entry: a block with holes. Every hole lies inside the block. */
export interface IpBlock {
	readonly cidr: Cidr;
	readonly except: readonly Cidr[];
	readonly place: Place;
}

/** An inclusive port range, 1..65535. */
export interface PortRange {
	readonly first: number;
	readonly last: number;
}

/** One `ports` entry: a protocol, and what of it. */
export interface PortMatch {
	readonly protocol: Protocol;
	/** Destination ports. Null: every one; and of a protocol without ports always. */
	readonly range: PortRange | null;
	/** Source ports. Null: every one; and of a protocol without ports always. */
	readonly source: PortRange | null;
	/** 0..255, of ICMP and ICMPv6 alone. Null: every type. */
	readonly icmpType: number | null;
	readonly place: Place;
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

/** One element of `ingress` or `egress`, with the policy's defaults already applied. */
export interface NetworkRule {
	/** Position in its list, from 0. */
	readonly index: number;
	readonly place: Place;
	readonly action: Action;
	/** 1..10. */
	readonly severity: number;
	readonly tags: readonly string[];
	readonly message: string;
	/** Empty: any address of both families. */
	readonly peers: readonly IpBlock[];
	/** Empty: any interface. */
	readonly interfaces: readonly InterfaceMatch[];
	/** Empty: every protocol and port. */
	readonly ports: readonly PortMatch[];
}

/** `nodeSelector.matchLabels`: every pair must match; no pairs select nothing. */
export interface NodeSelector {
	readonly matchLabels: Readonly<Record<string, string>>;
	readonly place: Place;
}

/** A valid KubeArmorNetworkPolicy document. */
export interface NetworkPolicy {
	readonly kind: "KubeArmorNetworkPolicy";
	readonly name: string;
	readonly place: Place;
	readonly nodeSelector: NodeSelector;
	/** spec.action, Block when absent. */
	readonly action: Action;
	readonly ingress: readonly NetworkRule[];
	readonly egress: readonly NetworkRule[];
}
