/** The typed meaning of KubeArmorNetworkPolicy documents. Plain data, as src/base/model.ts says. */

import type { Place } from "../../base/diagnostic.ts";
import type { Action, Cidr, InterfaceMatch, NodeSelector, PortRange, Protocol } from "../../base/model.ts";
import { PartType } from "../../document/kind.ts";

/** One `from`/`to` entry: a block with holes. Every hole lies inside the block. */
export interface IpBlock {
	readonly cidr: Cidr;
	readonly except: readonly Cidr[];
	readonly place: Place;
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

/** What a policy holds for: what this host itself receives and sends, what it forwards to and from its guests, or both. */
export type AppliesTo = "host" | "guests" | "all";

/** A valid KubeArmorNetworkPolicy document. */
export interface NetworkPolicy {
	readonly kind: "KubeArmorNetworkPolicy";
	readonly name: string;
	readonly place: Place;
	readonly nodeSelector: NodeSelector;
	/** spec.action, Block when absent. */
	readonly action: Action;
	/** Absent: `all`. */
	readonly appliesTo?: Exclude<AppliesTo, "all">;
	/** See PolicyHead. */
	readonly staged?: true;
	readonly ingress: readonly NetworkRule[];
	readonly egress: readonly NetworkRule[];
}

/** What a policy says about packets. */
export const networkPart = new PartType<NetworkPolicy>("network");
