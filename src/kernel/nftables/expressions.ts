/** The expressions of rules: what is matched, what is done, and the words for it. */

import { formatAddress } from "../../base/cidr.ts";
import type { Family } from "../../base/model.ts";
import type { Suffix } from "../../base/suffix.ts";
import { checkedLine, quoted } from "./check.ts";
import type { Rule } from "./objects.ts";

/** IFNAMSIZ of linux/if.h: a name with its NUL; here the sign for a prefix may stand in the NUL's place. */
const longestInterface = 16;

/** What a packet's interface is told by. `meta sdifname`: the member of a VRF that it came by. */
export type InterfaceKey = "iifname" | "oifname" | "meta sdifname";

/** Joins texts and rules to one rule. */
export function joined(...pieces: readonly Rule[]): Rule {
	const parts = [""];
	for (const piece of pieces) {
		const [text = "", ...rest] = typeof piece === "string" ? [piece] : piece;
		// Texts stand at even places: one that follows a text goes on with it.
		if (parts.length % 2 === 1) parts[parts.length - 1] += text;
		else parts.push(text);
		parts.push(...rest);
	}
	return parts.length === 1 ? (parts[0] ?? "") : parts;
}

export function goto(chain: string): Rule {
	return ["goto ", chain];
}

export function jump(chain: string): Rule {
	return ["jump ", chain];
}

/** Goes where a verdict map says. */
export function vmap(key: string, map: string): Rule {
	return [`${key} vmap @`, map];
}

/** What a socket's owner is told by: the user or the group of whoever made it. */
export type OwnerKey = "meta skuid" | "meta skgid";

export const ownerTypes: Readonly<Record<OwnerKey, string>> = { "meta skuid": "uid", "meta skgid": "gid" };

/** Of numbers of control groups. */
export const controlGroupType = "cgroupsv2";

/** Does `then` where the socket lies in a control group of the set, at a level below the root, 1 or more. */
export function inControlGroup(level: number, set: string, then: Rule): Rule {
	return joined(inSet(`socket cgroupv2 level ${level}`, set, ""), then);
}

/** Does `then` where a set has the key. */
export function inSet(key: string, set: string, then: string): Rule {
	return [`${key} @`, set, ` ${then}`];
}

/** Goes to a chain if a set has the key. */
export function inSetGoto(key: string, set: string, chain: string): Rule {
	return [`${key} @`, set, " goto ", chain];
}

/** Puts the key into a set. */
export function noted(condition: string, set: string, key: string): Rule {
	return [`${condition} update @`, set, ` { ${key} }`];
}

/** Counts packets by the key in a set, and leaves the chain. Where the set is full the packet goes on to the next rule. */
export function tallied(condition: string, set: string, key: string): Rule {
	return [`${condition} update @`, set, ` { ${key} counter } return`];
}

/** How long a rate's unit is, in seconds. */
export const rateUnits = { second: 1, minute: 60, hour: 3600, day: 86_400 } as const;

/** So many packets a unit, and so many at once. */
export interface Rate {
	readonly count: number;
	readonly unit: keyof typeof rateUnits;
	readonly burst: number;
}

/**
 * Matches packets within a rate, which a set keeps for each key. What is beyond does not match, nor does a packet whose
 * key has no room in the set.
 */
export function withinRate(set: string, key: string, { count, unit, burst }: Rate): Rule {
	return ["update @", set, ` { ${key} limit rate ${count}/${unit} burst ${burst} packets }`];
}

/** The same while no more connections of the key than `most` are open, the packet's own among them. */
export function withinCount(set: string, key: string, most: number): Rule {
	return ["add @", set, ` { ${key} ct count ${most} }`];
}

/** The packet's connection passed before: not its first packet. */
export const confirmed = "ct status confirmed";

/** A key that all packets have, and its type. */
export const commonKey = "meta mark & 0x00000000";
export const commonType = "mark";

/** Counts by the counter that a map has for the key, where it has one, and accepts. */
export function countedBy(key: string, map: string): Rule {
	return [`counter name ${key} map @`, map, " accept"];
}

/** Counts by a named counter. */
export function counted(counter: string): string {
	return `counter name ${quoted(counter)}`;
}

/** Matches from a quota on, or until it: the named object says which. */
export function withinQuota(quota: string): string {
	return `quota name ${quoted(quota)}`;
}

export function commented(verdict: string, comment: string): string {
	return `${verdict} comment ${quoted(comment)}`;
}

/** Matches up to so many packets. */
export function limited({ rate, burst }: { readonly rate: number; readonly burst: number }): string {
	return `limit rate ${rate}/second burst ${burst} packets`;
}

export interface LogTarget {
	readonly prefix: string;
	readonly group: number;
	/** Bytes of a packet that are copied. */
	readonly snapLength: number;
	/** Packets that the kernel gathers before it sends them. */
	readonly queueThreshold: number;
}

/** Hands the packet to NFLOG. */
export function logged({ prefix, group, snapLength, queueThreshold }: LogTarget): string {
	return `log prefix ${quoted(prefix)} group ${group} snaplen ${snapLength} queue-threshold ${queueThreshold}`;
}

/** Matches an interface; a name that ends in * is a prefix. */
export function byInterface(key: InterfaceKey, name: string): string {
	return `${key} ${quotedInterface(name)}`;
}

export function quotedInterface(name: string): string {
	return quoted(name, longestInterface);
}

/** One value, or any of several. */
export function oneOf(values: readonly string[]): string {
	return values.length === 1 ? (values[0] ?? "") : `{ ${values.join(", ")} }`;
}

/** A key, or the type of one, of several parts; empty ones are left out. */
export function concatenation(...parts: readonly string[]): string {
	return checkedLine(parts.filter((part) => part !== "").join(" . "));
}

/** The IP protocol. Compared with numbers: nft looks names up in /etc/protocols, which a minimal system does not have. */
export const protocolKey = "meta l4proto";
export const sourcePort = "th sport";
export const destinationPort = "th dport";

export const protocolType = "inet_proto";
export const portType = "inet_service";
export const interfaceType = "ifname";

export function addressKey(family: Family, side: "saddr" | "daddr"): string {
	return `${family === 4 ? "ip" : "ip6"} ${side}`;
}

/** Whether an address of IPv6 has the bits of a mask that a value has. */
export function maskedAddress(side: "saddr" | "daddr", { mask, value }: Suffix): string {
	return `${addressKey(6, side)} & ${formatAddress(6, mask)} == ${formatAddress(6, value)}`;
}

export function addressType(family: Family): string {
	return family === 4 ? "ipv4_addr" : "ipv6_addr";
}

/** Matches every packet of a family. */
export function ofFamily(family: Family): string {
	return `meta nfproto ipv${family}`;
}
