/** The typed meaning of KubeArmorNetworkPolicy documents. Plain data, as src/base/model.ts says. */

import { formatCidr } from "../../base/cidr.ts";
import type { Place } from "../../base/diagnostic.ts";
import type { Action, Cidr, InterfaceMatch, NodeSelector, PortRange, Protocol } from "../../base/model.ts";
import { formatSuffix, type Suffix } from "../../base/suffix.ts";
import { PartType } from "../../document/kind.ts";

/** One `from`/`to` entry: a block with holes. Every hole lies inside the block. */
export interface IpBlock {
	/** Of a suffix: the block around it. */
	readonly cidr: Cidr;
	/** Of the block, the addresses that match it alone. Absent: all. */
	readonly suffix?: Suffix;
	readonly except: readonly Cidr[];
	readonly place: Place;
}

/** A block of a group, and where it stands. */
export type WrittenBlock = Pick<IpBlock, "cidr" | "place">;

/** As it is written, less its holes: ADDRESS/PREFIX or ADDRESS/MASK. */
export function blockText({ cidr, suffix }: Pick<IpBlock, "cidr" | "suffix">): string {
	return suffix === undefined ? formatCidr(cidr) : formatSuffix(suffix);
}

/** The blocks of a list that lies in a file. */
export interface BlockList {
	/** Of the file's bytes, in hexadecimal. */
	readonly sha256: string;
	readonly blocks: readonly Cidr[];
}

/** Who is in a group, as it is in force. */
export interface GroupMembers {
	readonly name: string;
	/** Equal exactly when the members are. */
	readonly digest: string;
	/** None where the group is empty. */
	readonly blocks: readonly IpBlock[];
	/** What it is made of: the document, and the list of its file where it has one. */
	readonly group: Pick<AddressGroup, "name" | "place" | "cidrs" | "except">;
	readonly list: BlockList | null;
}

/** One `group` entry of `from` or `to`. */
export interface GroupUse {
	readonly name: string;
	readonly place: Place;
	/** As diagnostics name it: `spec.ingress[0].from[1].group`. */
	readonly path: string;
	/** Null until it is known who they are; such a rule is not compiled. */
	readonly members: GroupMembers | null;
}

/** The groups of a rule that names any. */
export interface RuleGroups {
	readonly uses: readonly GroupUse[];
	/** The blocks that the rule names itself. */
	readonly own: readonly IpBlock[];
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

/** How much a rule lets by in a window of time. */
export interface Quota {
	/** 1 to 2^53 - 1, with the headers from the network's on. */
	readonly bytes: number;
	/** The same as it is written, such as `500MB`. */
	readonly limit: string;
	/** How long a window lasts, 1 or more. */
	readonly seconds: number;
}

/** A user or a group: a number of 0..2^32-2, or a name that this host may know. */
export type Account = number | string;

/** Who sends what a rule is about: one of each list that is not empty. One at least is not. */
export interface RuleSender {
	readonly users: readonly Account[];
	readonly groups: readonly Account[];
	/** Units of systemd by their whole names, such as `nginx.service`. */
	readonly services: readonly string[];
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
	/** Empty: any address of both families. The members of groups are among them. */
	readonly peers: readonly IpBlock[];
	/** Absent: it names no groups. */
	readonly groups?: RuleGroups;
	/** Empty: any interface. */
	readonly interfaces: readonly InterfaceMatch[];
	/** Empty: every protocol and port. */
	readonly ports: readonly PortMatch[];
	/** Absent: the rule has none. */
	readonly quota?: Quota;
	/** Of egress alone. Absent: whoever sends, and what is forwarded too. */
	readonly sender?: RuleSender;
	/** Absent: none. */
	readonly limits?: RuleLimits;
}

/** What one limit counts together. */
interface Counted {
	readonly per: "source" | "rule";
	/** 1..128: IPv6 sources that share so many bits are one. */
	readonly prefix6: number;
}

/** So many new connections a unit, and so many at once. */
export interface RateLimit extends Counted {
	/** 1..1 000 000. */
	readonly connections: number;
	readonly unit: "second" | "minute" | "hour" | "day";
	/** 1..10 000. */
	readonly burst: number;
}

/** So many connections that are open at a time. */
export interface ConnectionLimit extends Counted {
	/** 1..1000. */
	readonly max: number;
}

/** How much of what a rule matches it decides about; at least one of the two is there. */
export interface RuleLimits {
	readonly rate?: RateLimit;
	readonly connections?: ConnectionLimit;
	/** What becomes of what is beyond. `Audit`: it passes, and is told. */
	readonly exceedAction: "Block" | "Audit";
}

/** A valid PortwardAddressGroup document: addresses under a name. */
export interface AddressGroup {
	readonly kind: "PortwardAddressGroup";
	readonly name: string;
	readonly place: Place;
	/** What is written in the document itself. */
	readonly cidrs: readonly WrittenBlock[];
	/** What is in the group in no case, whoever names it. */
	readonly except: readonly Cidr[];
	/** What is read from a file beside; null where there is none. */
	readonly feed: GroupFeed | null;
}

/** Where a group's addresses come from that stand in no policy. */
export interface GroupFeed {
	/** Absolute, or relative to the file that names it. */
	readonly file: string;
	readonly place: Place;
	/** By how much it may shrink at once, in percent of the blocks that it had: 0..100. */
	readonly maxShrink: number;
	/** It is taken though it is no part of what was signed. */
	readonly unsigned: boolean;
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

/** A group's document; nobody compiles it. */
export const groupPart = new PartType<AddressGroup>("groups");

/** What a policy says about packets. */
export const networkPart = new PartType<NetworkPolicy>("network");
