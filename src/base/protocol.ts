/** IP protocols as policies and settings name them (IANA, Assigned Internet Protocol Numbers). Pure. */

import type { Family, Protocol, Transport } from "./model.ts";

export const tcp = 6;
export const udp = 17;
export const sctp = 132;

/** The protocols whose ports policies can name. */
const transportNumbers: Readonly<Record<Transport, number>> = { tcp, udp, sctp };

export const icmp = 1;
export const igmp = 2;
export const icmpv6 = 58;

/** Protocols without ports that have a name here; every other one is written as its number. */
const namedNumbers: Readonly<Record<string, number>> = {
	ICMP: icmp,
	IGMP: igmp,
	IPIP: 4,
	GRE: 47,
	ESP: 50,
	AH: 51,
	ICMPv6: icmpv6,
	OSPF: 89,
	VRRP: 112,
};

const labels = new Map(Object.entries(namedNumbers).map(([name, number]) => [number, name]));
const byWord = new Map<string, Protocol>([
	...Object.entries(namedNumbers).map(([name, number]): [string, Protocol] => [name.toLowerCase(), number]),
	...(["tcp", "udp", "sctp"] as const).map((name): [string, Protocol] => [name, name]),
]);

/** Names that policies can write, as messages list them. */
export const protocolNames: readonly string[] = ["TCP", "UDP", "SCTP", ...Object.keys(namedNumbers)];

/**
 * Numbers that no IPv6 packet is judged by: ICMP is IPv4's, and the others are extension headers, behind which
 * the kernel looks (ipv6_find_hdr in net/ipv6/exthdrs_core.c).
 */
const notInIpv6: ReadonlySet<Protocol> = new Set([icmp, 0, 43, 44, 51, 60]);

export function isTransport(protocol: Protocol | null): protocol is Transport {
	return typeof protocol === "string";
}

/** 0..255. */
export function protocolNumber(protocol: Protocol): number {
	return isTransport(protocol) ? transportNumbers[protocol] : protocol;
}

/** The protocol of a number, 0..255: what is written as 6 means what is written as TCP. */
export function protocolOf(number: number): Protocol {
	if (number === tcp) return "tcp";
	if (number === udp) return "udp";
	return number === sctp ? "sctp" : number;
}

/** `TCP`, `ICMPv6`, `protocol 253`. */
export function protocolLabel(protocol: Protocol): string {
	return isTransport(protocol) ? protocol.toUpperCase() : (labels.get(protocol) ?? `protocol ${protocol}`);
}

/** `tcp`, `icmpv6`, `253`: what `parseProtocol` reads back. */
export function protocolText(protocol: Protocol): string {
	return isTransport(protocol) ? protocol : (labels.get(protocol)?.toLowerCase() ?? String(protocol));
}

/** Whether packets of the family can have the protocol. */
export function protocolFits(protocol: Protocol | null, family: Family): boolean {
	if (protocol === null) return true;
	return family === 4 ? protocol !== icmpv6 : !notInIpv6.has(protocol);
}

/** Whether packets of the protocol have a type instead of ports. */
export function isIcmp(protocol: Protocol | null): protocol is typeof icmp | typeof icmpv6 {
	return protocol === icmp || protocol === icmpv6;
}

/** A name in any case or a decimal number from 0 to 255; null for anything else. */
export function parseProtocol(text: string): Protocol | null {
	const named = byWord.get(text.toLowerCase());
	if (named !== undefined) return named;
	return /^(?:0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255 ? protocolOf(Number(text)) : null;
}
