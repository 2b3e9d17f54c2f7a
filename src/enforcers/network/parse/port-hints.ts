/** What to write instead of a port or a protocol that cannot be read. Pure. */

import { parseProtocol, protocolLabel, protocolNames } from "../../../base/protocol.ts";
import { lookupService } from "../../../base/services.ts";
import { suggest } from "../../../base/suggest.ts";

/** Other names of protocols. */
const aliases: Readonly<Record<string, string>> = {
	icmp6: "ICMPv6",
	"icmp-v6": "ICMPv6",
	"ipv6-icmp": "ICMPv6",
	icmpipv6: "ICMPv6",
	icmpv4: "ICMP",
	icmp4: "ICMP",
	ping: "ICMP, with icmpType: echo-request",
	"ip-in-ip": "IPIP",
	ipencap: "IPIP",
	ospfigp: "OSPF",
	carp: "VRRP",
	keepalived: "VRRP",
	"ipsec-esp": "ESP",
	"ipsec-ah": "AH",
};

/** Protocols without a name here. */
const numbers: Readonly<Record<string, number>> = {
	egp: 8,
	dccp: 33,
	ipv6: 41,
	sit: 41,
	"6in4": 41,
	rsvp: 46,
	eigrp: 88,
	pim: 103,
	l2tp: 115,
	isis: 124,
	udplite: 136,
	"udp-lite": 136,
	mptcp: 6,
	hip: 139,
};

function lookup<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
	return Object.hasOwn(table, word) ? table[word] : undefined;
}

/** One `ports` entry for each of some words, as YAML. */
function entries(words: readonly string[], write: (word: string) => string): string {
	return `write one entry for each: ${words.map((word) => `{${write(word)}}`).join(", ")}`;
}

/**
 * @param text what stands where the protocol should
 * @param port the port written beside it, or null
 */
export function protocolHint(text: string, port: string | null): string {
	const word = text.trim().toLowerCase();
	const beside = port === null ? "" : `, port: ${port}`;
	const several = word.split(/[\s,;/|+&]+/).map(parseProtocol);
	if (several.length > 1 && several.every((protocol) => protocol !== null)) {
		return entries(several.map(protocolLabel), (label) => `protocol: ${label}${beside}`);
	}
	if (/^(?:any|all|both|\*|ip|ipv4|tcpudp|tcp_udp)$/.test(word)) {
		const everything = "leave protocol and ports out to match every protocol and port";
		return port === null
			? everything
			: `${everything}, or ${entries(["TCP", "UDP"], (label) => `protocol: ${label}${beside}`)}`;
	}
	if (parseProtocol(word) !== null) return `write ${word.toUpperCase()} without spaces`;
	const alias = lookup(aliases, word);
	if (alias !== undefined) return `write ${alias}`;
	if (/^(?:ipsec|vpn)$/.test(word)) return entries(["ESP", "AH"], (label) => `protocol: ${label}`);
	const number = lookup(numbers, word);
	if (number !== undefined) {
		return `write its number: protocol: ${number}${port === null || number === 6 ? "" : ", without port"}`;
	}
	for (const transport of ["tcp", "udp"] as const) {
		const service = lookupService(word, transport);
		if (service.ok)
			return `it is a service: write protocol: ${transport.toUpperCase()} and port: ${service.port}`;
	}
	if (/^[-+]?\d+$/.test(word)) return "write a number from 0 to 255, in decimal";
	return `${suggest(text, protocolNames, "protocols")}; any other is written as its number, 0 to 255`;
}

/**
 * @param text what stands where the port should; a list's elements joined by commas
 * @param field `port` or `sourcePort`
 * @param usual the hint where nothing better is known
 */
export function portHint(text: string, field: string, usual: string): string {
	const end = field === "port" ? "endPort" : "sourceEndPort";
	const word = text.trim();
	if (word !== text && /^\w+$/.test(word)) return `write ${word} without spaces`;
	const several = word.split(/\s*[,;|]\s*|\s+/).filter((part) => part !== "");
	if (several.length > 1 && several.every((part) => /^[\w-]{1,20}$/.test(part))) {
		return entries(several.slice(0, 20), (part) => {
			const range = /^(\d+)-(\d+)$/.exec(part);
			return range === null ? `${field}: ${part}` : `${field}: ${range[1]}, ${end}: ${range[2]}`;
		});
	}
	const padded = /^0+([1-9]\d{0,4})$/.exec(word);
	if (padded !== null) return `write ${padded[1]}, without a zero before it`;
	if (/^(?:\*|any|all|0-65535|0:65535)$/i.test(word)) return `leave ${field} out to match every port`;
	const open = /^(?:>=?\s*)?(\d{1,5})(?:\+|-|:)?$/.exec(word);
	if (open !== null && open[1] !== word) return `write ${field}: ${open[1]} and ${end}: 65535`;
	const slashed = /^([a-z]+)[/:](\w+)$/i.exec(word) ?? /^(\w+)[/:]([a-z]+)$/i.exec(word);
	const [, left = "", right = ""] = slashed ?? [];
	for (const [protocol, port] of [
		[parseProtocol(left), right],
		[parseProtocol(right), left],
	] as const) {
		if (typeof protocol === "string" && slashed !== null)
			return `write protocol: ${protocol.toUpperCase()} and ${field}: ${port}`;
	}
	const address = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(word);
	if (address !== null) return `write ${field}: ${address[1]}, and the address in from or to`;
	return usual;
}
