/** Types of ICMP and ICMPv6 messages by name (IANA, ICMP Parameters and ICMPv6 Parameters). Pure. */

import type { Protocol } from "./model.ts";
import { icmp, icmpv6, isIcmp, protocolLabel } from "./protocol.ts";
import { nearest, quote } from "./suggest.ts";

/** The names of RFC 792 and others, as nftables and iptables write them. */
const types4: Readonly<Record<string, number>> = {
	"echo-reply": 0,
	"destination-unreachable": 3,
	"source-quench": 4,
	redirect: 5,
	"echo-request": 8,
	"router-advertisement": 9,
	"router-solicitation": 10,
	"time-exceeded": 11,
	"parameter-problem": 12,
	"timestamp-request": 13,
	"timestamp-reply": 14,
	"info-request": 15,
	"info-reply": 16,
	"address-mask-request": 17,
	"address-mask-reply": 18,
};

/** RFC 4443, RFC 4861, RFC 2710, RFC 3810, RFC 3122. */
const types6: Readonly<Record<string, number>> = {
	"destination-unreachable": 1,
	"packet-too-big": 2,
	"time-exceeded": 3,
	"parameter-problem": 4,
	"echo-request": 128,
	"echo-reply": 129,
	"mld-listener-query": 130,
	"mld-listener-report": 131,
	"mld-listener-done": 132,
	"nd-router-solicit": 133,
	"nd-router-advert": 134,
	"nd-neighbor-solicit": 135,
	"nd-neighbor-advert": 136,
	"nd-redirect": 137,
	"router-renumbering": 138,
	"ind-neighbor-solicit": 141,
	"ind-neighbor-advert": 142,
	"mld2-listener-report": 143,
};

/** What iptables calls some of them. */
const others6: Readonly<Record<string, number>> = {
	"router-solicitation": 133,
	"router-advertisement": 134,
	"neighbor-solicitation": 135,
	"neighbour-solicitation": 135,
	"neighbor-advertisement": 136,
	"neighbour-advertisement": 136,
	redirect: 137,
};

type Icmp = typeof icmp | typeof icmpv6;

const known: Readonly<Record<Icmp, ReadonlyMap<string, number>>> = {
	[icmp]: new Map(Object.entries(types4)),
	[icmpv6]: new Map(Object.entries({ ...types6, ...others6 })),
};

const names: Readonly<Record<Icmp, ReadonlyMap<number, string>>> = {
	[icmp]: new Map(Object.entries(types4).map(([name, type]) => [type, name])),
	[icmpv6]: new Map(Object.entries(types6).map(([name, type]) => [type, name])),
};

/**
 * Types that rules can come to decide about (nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c): requests,
 * with which a flow begins; errors and redirects, which are related to one; and of IPv6 neighbour discovery and
 * MLD, which connection tracking leaves alone. Others answer something: they are part of a flow, or invalid.
 */
const judged: Readonly<Record<Icmp, ReadonlySet<number>>> = {
	[icmp]: new Set([3, 4, 5, 8, 11, 12, 13, 15, 17]),
	[icmpv6]: new Set([1, 2, 3, 4, 128, 130, 131, 132, 133, 134, 135, 136, 137, 139, 143]),
};

/** What `ping` sends, and what stands for a flow of ICMP of which nobody said more. */
export function echoRequest(protocol: Icmp): number {
	return protocol === icmp ? 8 : 128;
}

/** Whether packets of this type come to be judged by policies where invalid ones are dropped. */
export function isJudged(protocol: Icmp, type: number): boolean {
	return judged[protocol].has(type);
}

/** `echo-request`, or the number where the type has no name. */
export function icmpTypeLabel(protocol: Protocol, type: number): string {
	return (isIcmp(protocol) ? names[protocol].get(type) : undefined) ?? String(type);
}

export type IcmpTypeResult =
	| { readonly ok: true; readonly type: number }
	| { readonly ok: false; readonly message: string; readonly hint: string };

/** A decimal number from 0 to 255, or a name in any case. */
export function parseIcmpType(text: string, protocol: Icmp): IcmpTypeResult {
	if (/^(?:0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255) return { ok: true, type: Number(text) };
	const word = text.toLowerCase();
	const type = known[protocol].get(word);
	if (type !== undefined) return { ok: true, type };
	const meant = word === "ping" ? "echo-request" : nearest(word, [...known[protocol].keys()]);
	return {
		ok: false,
		message: `${quote(text)} is no type of ${protocolLabel(protocol)}`,
		hint: `${meant === null ? "" : `did you mean ${meant}? Or `}write a number from 0 to 255, or a name such as echo-request`,
	};
}
