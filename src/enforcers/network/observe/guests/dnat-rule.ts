/**
 * What a rule that translates a destination says: which port of this host leads to which address and port, as nft
 * writes it and as iptables does. Pure: of bytes of the kernel, which never make it throw.
 */

import { formatIpv4, formatIpv6 } from "../../../../base/address.ts";
import type { Family, Transport } from "../../../../base/model.ts";
import { isTransport, protocolOf } from "../../../../base/protocol.ts";
import { AttributeTable, attributeRanges } from "../../../../kernel/netlink-message.ts";
import { NFTA_DATA_VALUE, NFTA_EXPR_DATA, NFTA_EXPR_NAME } from "../../../../kernel/nftables-message.ts";
import type { NatRule } from "../nat-rules.ts";

/** linux/netfilter/nf_tables.h */
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_PAYLOAD_TRANSPORT_HEADER = 2;
const NFT_META_L4PROTO = 16;
const NFT_NAT_DNAT = 1;
const NFT_CMP_EQ = 0;
/** Others narrow a range from one side; nft writes one as two of them. */
const bounds: Readonly<Record<number, (port: number) => readonly [number, number]>> = {
	[NFT_CMP_EQ]: (port) => [port, port],
	2: (port) => [0, port - 1],
	3: (port) => [0, port],
	4: (port) => [port + 1, 0xffff],
	5: (port) => [port, 0xffff],
};
/** linux/netfilter/nf_nat.h */
const NF_NAT_RANGE_MAP_IPS = 1;
const NF_NAT_RANGE_PROTO_SPECIFIED = 2;
/** The inversion of destination ports, in struct xt_tcp and xt_udp. */
const XT_INV_DSTPT = 2;

/** Attributes by number, as each expression has them; no expression that is read has more. */
const highestAttribute = 8;

export interface DnatRule {
	readonly protocol: Transport;
	/** Of the guest. */
	readonly family: Family;
	/** The host's address that it is for; null: every one, or more than one. */
	readonly hostAddress: string | null;
	/** Ports of the host, inclusive. */
	readonly hostPorts: readonly [number, number];
	readonly guestAddress: string;
	/** Null: the port stays as it was, or cannot be told. */
	readonly guestPort: number | null;
}

/** What the expressions so far have said. */
interface Reading {
	/** What was last read from the packet, and how it looks in bytes. */
	reads: "protocol" | "port" | "address" | null;
	protocol: number | null;
	ports: readonly [number, number] | null;
	address: string | null;
	/** What registers hold. */
	readonly values: Map<number, Uint8Array>;
}

/**
 * Null where the rule gives no destination, or does not say which port it is for, as where it asks a set or a map.
 * @param family of the rule's table
 */
export function readDnatRule({
	family,
	expressions,
}: Pick<NatRule, "family" | "expressions">): DnatRule | null {
	const reading: Reading = { reads: null, protocol: null, ports: null, address: null, values: new Map() };
	for (const { start, end } of attributeRanges(expressions)) {
		const expression = new AttributeTable(NFTA_EXPR_DATA).read(expressions, start, end);
		const name = expression.text(NFTA_EXPR_NAME) ?? "";
		const data = new AttributeTable(highestAttribute).readNested(expression, NFTA_EXPR_DATA);
		if (name === "nat") return finished(reading, natTarget(data, reading));
		if (name === "target") return finished(reading, xtTarget(data, family));
		note(name, data, reading);
	}
	return null;
}

interface Target {
	readonly family: Family;
	readonly address: string;
	readonly port: number | null;
}

function finished({ protocol, ports, address }: Reading, target: Target | null): DnatRule | null {
	if (target === null) return null;
	const transport = protocol === null ? null : protocolOf(protocol);
	if (transport === null || !isTransport(transport) || ports === null || ports[0] > ports[1]) return null;
	const { family, address: guestAddress, port: guestPort } = target;
	return { protocol: transport, family, hostAddress: address, hostPorts: ports, guestAddress, guestPort };
}

function natTarget(data: AttributeTable, { values }: Reading): Target | null {
	if (data.u32(1) !== NFT_NAT_DNAT) return null;
	const held = (attribute: number) => values.get(data.u32(attribute) ?? 0);
	const [address, port] = [held(3), held(5)];
	if (address === undefined) return null;
	const text = addressText(address);
	if (text === null) return null;
	const last = held(6);
	// A range of ports gives each guest's port to nobody in particular.
	const single = last === undefined || last.every((byte, i) => byte === port?.[i]);
	return {
		family: address.length === 4 ? 4 : 6,
		address: text,
		port: port === undefined || port.length < 2 || !single ? null : numberOf(port),
	};
}

/** struct nf_nat_ipv4_multi_range_compat of revision 0, nf_nat_range of 1 and nf_nat_range2 of 2. */
function xtTarget(data: AttributeTable, family: NatRule["family"]): Target | null {
	if (data.text(1) !== "DNAT") return null;
	const bytes = data.copy(3) ?? new Uint8Array(0);
	const revision = data.u32(2) ?? 0;
	const [flagsAt, addressAt, portAt] = revision === 0 ? [4, 8, 16] : [0, 4, 36];
	if (bytes.length < portAt + 4) return null;
	const view = new DataView(bytes.buffer, bytes.byteOffset);
	const flags = view.getUint32(flagsAt, true);
	if ((flags & NF_NAT_RANGE_MAP_IPS) === 0) return null;
	const ipv6 = family === "ip6";
	if (ipv6 && revision === 0) return null;
	const [first, last] = [view.getUint16(portAt), view.getUint16(portAt + 2)];
	const named = (flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0 && first === last;
	return {
		family: ipv6 ? 6 : 4,
		address: ipv6 ? formatIpv6(bytes, addressAt) : formatIpv4(bytes, addressAt),
		port: named ? first : null,
	};
}

/** What is not understood leaves the rest as it is: the rule may then be for fewer packets than it seems. */
function note(name: string, data: AttributeTable, reading: Reading): void {
	if (name === "payload") reading.reads = payload(data);
	else if (name === "meta") reading.reads = data.u32(2) === NFT_META_L4PROTO ? "protocol" : null;
	else if (name === "immediate") {
		const value = dataOf(data, 2);
		if (value !== null) reading.values.set(data.u32(1) ?? 0, value);
	} else if (name === "cmp") compare(data.u32(2) ?? -1, dataOf(data, 3), reading);
	else if (name === "range" && reading.reads === "port" && data.u32(2) === NFT_CMP_EQ) {
		const [first, last] = [dataOf(data, 3), dataOf(data, 4)];
		if (first?.length === 2 && last?.length === 2) reading.ports = [numberOf(first), numberOf(last)];
	} else if (name === "match") match(data, reading);
	// Masks, sets and what else changes or asks of a register.
	else if (name === "bitwise" || name === "lookup") reading.reads = null;
}

function payload(data: AttributeTable): Reading["reads"] {
	const [base, offset, length] = [data.u32(2), data.u32(3), data.u32(4)];
	if (base === NFT_PAYLOAD_TRANSPORT_HEADER) return offset === 2 && length === 2 ? "port" : null;
	if (base !== NFT_PAYLOAD_NETWORK_HEADER) return null;
	if (offset === 9 && length === 1) return "protocol";
	return offset === 16 || offset === 24 ? "address" : null;
}

function compare(operator: number, value: Uint8Array | null, reading: Reading): void {
	if (value === null) return;
	const bound = bounds[operator];
	if (reading.reads === "port" && value.length === 2 && bound !== undefined) {
		const [first, last] = bound(numberOf(value));
		const [least, most] = reading.ports ?? [0, 0xffff];
		reading.ports = [Math.max(first, least), Math.min(last, most)];
	} else if (operator !== NFT_CMP_EQ) return;
	else if (reading.reads === "protocol" && value.length === 1) reading.protocol = numberOf(value);
	else if (reading.reads === "address") reading.address = addressText(value);
}

/** struct xt_tcp and xt_udp of linux/netfilter/xt_tcpudp.h: source ports, then destination ports, in host order. */
function match(data: AttributeTable, reading: Reading): void {
	const name = data.text(1);
	const inverted = name === "tcp" ? 11 : 8;
	const bytes = data.copy(3) ?? new Uint8Array(0);
	if ((name !== "tcp" && name !== "udp") || bytes.length <= inverted) return;
	reading.protocol = name === "tcp" ? 6 : 17;
	const view = new DataView(bytes.buffer, bytes.byteOffset);
	const [first, last] = [view.getUint16(4, true), view.getUint16(6, true)];
	const everyPort = first === 0 && last === 0xffff;
	if (!everyPort && ((bytes[inverted] ?? 0) & XT_INV_DSTPT) === 0) reading.ports = [first, last];
}

/** Of a whole address; shorter ones are none that a guest or this host has. */
function addressText(bytes: Uint8Array): string | null {
	if (bytes.length === 4) return formatIpv4(bytes, 0);
	return bytes.length === 16 ? formatIpv6(bytes, 0) : null;
}

function dataOf(data: AttributeTable, attribute: number): Uint8Array | null {
	return new AttributeTable(NFTA_DATA_VALUE).readNested(data, attribute).copy(NFTA_DATA_VALUE);
}

/** In network order. */
function numberOf(bytes: Uint8Array): number {
	return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}
