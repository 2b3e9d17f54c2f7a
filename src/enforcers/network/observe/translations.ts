/** Rules of other tables that send packets to another port or address than they came for, before ours are asked. */

import type { Direction } from "../../../base/model.ts";
import { tcp, udp } from "../../../base/protocol.ts";
import { AttributeTable, attributeRanges } from "../../../kernel/netlink-message.ts";
import { NFTA_DATA_VALUE, NFTA_EXPR_DATA, NFTA_EXPR_NAME } from "../../../kernel/nftables-message.ts";
import type { ForeignChain } from "./foreign-chains.ts";
import { natRules } from "./nat-rules.ts";

/** linux/netfilter/nf_tables.h */
const NFT_PAYLOAD_TRANSPORT_HEADER = 2;
const NFT_META_L4PROTO = 16;
const NFT_NAT_DNAT = 1;
const NFT_CMP_NEQ = 1;

/** enum nft_cmp_ops: what is asked about against what the rule says. */
const comparisons: readonly ((asked: number, rule: number) => boolean)[] = [
	(asked, rule) => asked === rule,
	(asked, rule) => asked !== rule,
	(asked, rule) => asked < rule,
	(asked, rule) => asked <= rule,
	(asked, rule) => asked > rule,
	(asked, rule) => asked >= rule,
];

export interface Translation {
	readonly family: ForeignChain["family"];
	readonly table: string;
	readonly chain: string;
	readonly tools: readonly string[];
	/** The port that it leads to; null where that stays, or cannot be told. */
	readonly port: number | null;
	/** Whether the rule names the port that was asked for; else it is for any, or for one that cannot be told. */
	readonly named: boolean;
}

/** Protocol number and destination port of the packets that are asked about. */
export interface Asked {
	readonly protocol: number;
	readonly port: number;
}

/** Translations of a destination that packets of a direction may meet before our chains, by tables that have such chains. */
export function translationsOf(
	chains: readonly ForeignChain[],
	direction: Direction,
	asked: Asked,
): Translation[] {
	const found: Translation[] = [];
	for (const rule of natRules(chains, [direction === "ingress" ? "prerouting" : "output"])) {
		const { family, table, chain, tools, expressions } = rule;
		const read = readRule(expressions, asked);
		if (read !== null) found.push({ family, table, chain, tools, ...read });
	}
	return found;
}

/** What a rule's expressions say, one after the other. */
interface Reading {
	/** What was last read from the packet. */
	reads: "protocol" | "port" | null;
	readonly values: Map<number, number>;
	named: boolean;
}

/** Null where the rule translates no destination, or is for other packets. */
function readRule(expressions: Uint8Array, asked: Asked): Pick<Translation, "port" | "named"> | null {
	const reading: Reading = { reads: null, values: new Map(), named: false };
	for (const { start, end } of attributeRanges(expressions)) {
		const expression = new AttributeTable(NFTA_EXPR_DATA).read(expressions, start, end);
		const name = expression.text(NFTA_EXPR_NAME) ?? "";
		const data = new AttributeTable(8).readNested(expression, NFTA_EXPR_DATA);
		if (name === "nat" && data.u32(1) === NFT_NAT_DNAT) return target(reading, data.u32(5));
		if (name === "redir") return target(reading, data.u32(1));
		if (name === "target") return xtTarget(data, reading);
		if (!passes(name, data, expressions, asked, reading)) return null;
	}
	return null;
}

function target({ values, named }: Reading, register: number | null): Pick<Translation, "port" | "named"> {
	return { port: (register === null ? undefined : values.get(register)) ?? null, named };
}

function xtTarget(data: AttributeTable, { named }: Reading): Pick<Translation, "port" | "named"> | null {
	return ["DNAT", "REDIRECT"].includes(data.text(1) ?? "") ? { port: null, named } : null;
}

/** Whether packets that are asked about may get past the expression; what is not understood lets them. */
function passes(
	name: string,
	data: AttributeTable,
	bytes: Uint8Array,
	asked: Asked,
	reading: Reading,
): boolean {
	if (name === "payload") {
		const port = data.u32(2) === NFT_PAYLOAD_TRANSPORT_HEADER && data.u32(3) === 2 && data.u32(4) === 2;
		reading.reads = port ? "port" : null;
	} else if (name === "meta") reading.reads = data.u32(2) === NFT_META_L4PROTO ? "protocol" : null;
	else if (name === "immediate") {
		const value = readValue(data, 2, bytes);
		if (value !== null) reading.values.set(data.u32(1) ?? 0, value);
	} else if (name === "cmp") return compare(data, bytes, asked, reading);
	else if (name === "range") {
		if (reading.reads !== "port" || data.u32(2) !== 0) return true;
		reading.named = true;
		return (
			(readValue(data, 3, bytes) ?? 0) <= asked.port && asked.port <= (readValue(data, 4, bytes) ?? 0xffff)
		);
	} else if (name === "match") return xtMatch(data, bytes, asked, reading);
	return true;
}

function compare(data: AttributeTable, bytes: Uint8Array, asked: Asked, reading: Reading): boolean {
	const value = readValue(data, 3, bytes);
	const comparison = comparisons[data.u32(2) ?? -1];
	if (reading.reads === null || value === null || comparison === undefined) return true;
	if (reading.reads === "port" && data.u32(2) !== NFT_CMP_NEQ) reading.named = true;
	return comparison(reading.reads === "port" ? asked.port : asked.protocol, value);
}

/** struct xt_tcp and xt_udp of linux/netfilter/xt_tcpudp.h: source ports, then destination ports, in host order. */
function xtMatch(data: AttributeTable, bytes: Uint8Array, asked: Asked, reading: Reading): boolean {
	const protocol = { tcp, udp }[data.text(1) ?? ""];
	if (protocol === undefined || data.length(3) < 8) return true;
	const view = new DataView(bytes.buffer, bytes.byteOffset + data.offset(3), 8);
	const [first, last] = [view.getUint16(4, true), view.getUint16(6, true)];
	if (first > 0 || last < 0xffff) reading.named = true;
	return protocol === asked.protocol && first <= asked.port && asked.port <= last;
}

/** A value of one or two bytes in network order; null for longer ones. */
function readValue(data: AttributeTable, type: number, bytes: Uint8Array): number | null {
	const value = new AttributeTable(NFTA_DATA_VALUE).readNested(data, type);
	const length = value.length(NFTA_DATA_VALUE);
	if (length !== 1 && length !== 2) return null;
	const at = value.offset(NFTA_DATA_VALUE);
	return length === 1 ? (bytes[at] ?? 0) : ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
