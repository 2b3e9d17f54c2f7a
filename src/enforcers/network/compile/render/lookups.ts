/** Tables as nftables maps and sets, and the rules that look them up, in both ruleset forms. */

import { addressBits } from "../../../../base/cidr.ts";
import type { Direction, Family, PortRange, Protocol } from "../../../../base/model.ts";
import { icmp, isIcmp, isTransport, protocolNumber } from "../../../../base/protocol.ts";
import type { IntervalList } from "../interval.ts";
import type { RulesetForm } from "../plan.ts";
import type { Segment, Step, Table } from "../table.ts";
import { addressText, intervalText, maskText, portsText } from "./address-text.ts";
import { boxesOf } from "./boxes.ts";
import { type Cell, hashable } from "./hashable.ts";
import type { ObjectStore } from "./objects.ts";

/** What the lookups of one direction and family are rendered with. */
export interface LookupContext {
	readonly store: ObjectStore;
	readonly form: RulesetForm;
	readonly family: Family;
	readonly direction: Direction;
	/** Cells from which on blocks of one length go into a hash table. */
	readonly hashFrom: number;
	/** The chain of the rule with this rank. */
	leaf(rank: number): string;
	/** The counter and the comment of a rule that accepts without a word; null for others, and for rank -1. */
	silent(rank: number): { readonly counter: string; readonly comment: string } | null;
	/** Called for every element, for the accounting of cost; rank -1 in sets. */
	count(rank: number): void;
}

function addressKey({ family, direction }: LookupContext): string {
	return `${family === 4 ? "ip" : "ip6"} ${direction === "ingress" ? "saddr" : "daddr"}`;
}

function addressType(context: LookupContext): string {
	return context.family === 4 ? "ipv4_addr" : "ipv6_addr";
}

type Use = "vmap" | "return";

function expression(key: string, name: string, use: Use): string {
	return use === "vmap" ? `${key} vmap @${name}` : `${key} @${name} return`;
}

/** A map, or a set where no element leads anywhere; `property` is the line below its type. */
function declare(
	context: LookupContext,
	type: string,
	property: string,
	elements: readonly (readonly [string, number])[],
): string {
	const verdicts = elements.some(([, rank]) => rank >= 0);
	const lines = [`type ${type}${verdicts ? " : verdict" : ""}`, property, "elements = {"];
	for (const [text, rank] of elements) {
		context.count(rank);
		lines.push(rank < 0 ? `\t${text},` : `\t${text} : goto ${context.leaf(rank)},`);
	}
	const last = lines.pop();
	if (last !== undefined) lines.push(last.replace(/,$/, ""));
	lines.push("}");
	return context.store.add(verdicts ? "map" : "set", lines, elements.length);
}

/** The parts of a key behind the address: its types, and how they are read from the packet. */
interface Tail {
	readonly type: string;
	readonly read: string;
}

const addressAlone: Tail = { type: "", read: "" };
const andProtocol: Tail = { type: " . inet_proto", read: " . meta l4proto" };
const andPort: Tail = { type: " . inet_proto . inet_service", read: " . meta l4proto . th dport" };

/** The rules that look these cells up. The cells are disjoint, so the order of the lookups means nothing. */
function lookUp(context: LookupContext, tail: Tail, cells: readonly Cell[], use: Use): string[] {
	const type = addressType(context) + tail.type;
	// A set of addresses alone is a tree: its lookups grow with the logarithm, and it loads as fast as it can.
	const { blocks, rest } =
		tail === addressAlone
			? { blocks: [], rest: cells }
			: hashable(cells, context.hashFrom, (rank) => context.silent(rank) !== null);
	const rules = blocks.map((block) => {
		const mask =
			block.length === addressBits(context.family) ? "" : ` & ${maskText(context.family, block.length)}`;
		const key = `${addressKey(context)}${mask}${tail.read}`;
		// A set of a given size that never grows gets the kernel's cheapest hash table.
		const size = `size ${block.cells.length}`;
		if (block.silent)
			return `counter name ${key} map @${counterMap(context, type, size, block.cells)} accept`;
		const elements = block.cells.map((cell) => [addressText(cell.first) + cell.tail, cell.rank] as const);
		return expression(key, declare(context, type, size, elements), use);
	});
	if (rest.length === 0) return rules;
	const elements = rest.map((cell) => [intervalText(cell.first, cell.last) + cell.tail, cell.rank] as const);
	const name = declare(context, type, "flags interval", elements);
	return [...rules, expression(addressKey(context) + tail.read, name, use)];
}

/**
 * Silently accepted cells with their counters: one lookup counts and accepts, where a verdict map would send every
 * packet through a chain of its rule's own, whose memory is seldom in the cache when there are thousands.
 */
function counterMap(context: LookupContext, type: string, size: string, cells: readonly Cell[]): string {
	const elements = cells.map((cell) => {
		context.count(cell.rank);
		const leaf = context.silent(cell.rank);
		if (leaf === null) throw new RangeError("a rule that is not silent");
		return `\t${addressText(cell.first)}${cell.tail} comment "${leaf.comment}" : "${leaf.counter}"`;
	});
	const lines = [`type ${type} : counter`, size, "elements = {", ...elements.map((text) => `${text},`), "}"];
	const last = lines.length - 2;
	lines[last] = (lines[last] ?? "").replace(/,$/, "");
	return context.store.add("map", lines, elements.length);
}

function listCells(list: IntervalList, tail: string): Cell[] {
	return list.first.map((first, i) => {
		const last = list.last[i];
		const rank = list.rank[i];
		if (last === undefined || rank === undefined) throw new RangeError("interval list");
		return { first, last, rank, tail, exact: true };
	});
}

/** Lookups of the address alone. */
function plain(context: LookupContext, list: IntervalList, use: Use): string[] {
	return lookUp(context, addressAlone, listCells(list, ""), use);
}

/**
 * Up to so many protocols without ports are compared one by one: packets of others are spared a lookup, which
 * costs about as much as four comparisons.
 */
const mostCompared = 4;

function plainOf(context: LookupContext, protocol: Protocol, list: IntervalList, use: Use): string[] {
	// A number, because nft looks some names up in /etc/protocols, which a minimal system does not have.
	return plain(context, list, use).map((rule) => `meta l4proto ${protocolNumber(protocol)} ${rule}`);
}

function protocolLookups(context: LookupContext, table: Table & { readonly layer: "T" }, use: Use): string[] {
	const portless = [...table.lists].filter(([protocol]) => !isTransport(protocol));
	const compared = portless.length <= mostCompared ? portless : [];
	const joined = [...table.lists].filter(([protocol]) => !compared.some(([other]) => other === protocol));
	const cells = joined.flatMap(([protocol, list]) => listCells(list, ` . ${protocolNumber(protocol)}`));
	return [
		...(cells.length === 0 ? [] : lookUp(context, andProtocol, cells, use)),
		...compared.flatMap(([protocol, list]) => plainOf(context, protocol, list, use)),
	];
}

/** How nftables calls what the transport header begins with. */
export function sourceKey(protocol: Protocol): Tail {
	if (isTransport(protocol)) return { type: "inet_service", read: `${protocol} sport` };
	if (!isIcmp(protocol)) throw new RangeError("a protocol without ports and types");
	const name = protocol === icmp ? "icmp" : "icmpv6";
	return { type: `${name}_type`, read: `${name} type` };
}

function isWhole({ first, last }: PortRange): boolean {
	return first === 0 && last === 65535;
}

/** Per protocol, so that packets of others are spared the lookup; and one of the ports only where they matter. */
function sourceLookups(context: LookupContext, table: Table & { readonly layer: "S" }, use: Use): string[] {
	return [...table.sources].flatMap(([protocol, sources]) => {
		const key = sourceKey(protocol);
		const any: Cell[] = [];
		const limited: Cell[] = [];
		for (const source of sources) {
			for (const { first, last, rank, firstPort, lastPort } of boxesOf(source.ports)) {
				const tail = ` . ${portsText(source.first, source.last)}`;
				const exact = source.first === source.last;
				if (isWhole({ first: firstPort, last: lastPort })) any.push({ first, last, rank, tail, exact });
				else {
					const ports = portsText(firstPort, lastPort);
					limited.push({
						first,
						last,
						rank,
						tail: `${tail} . ${ports}`,
						exact: exact && firstPort === lastPort,
					});
				}
			}
		}
		const short = { type: ` . ${key.type}`, read: ` . ${key.read}` };
		const long = { type: `${short.type} . inet_service`, read: `${short.read} . ${protocol} dport` };
		return [
			...(any.length === 0 ? [] : lookUp(context, short, any, use)),
			...(limited.length === 0 ? [] : lookUp(context, long, limited, use)),
		];
	});
}

/** The rules that look a table up in maps whose keys are concatenations. */
function concatenated(context: LookupContext, table: Table, use: Use): string[] {
	if (table.layer === "W") return plain(context, table.list, use);
	if (table.layer === "T") return protocolLookups(context, table, use);
	if (table.layer === "S") return sourceLookups(context, table, use);
	const cells = [...table.segments].flatMap(([protocol, segments]) =>
		boxesOf(segments).map(({ first, last, rank, firstPort, lastPort }) => ({
			first,
			last,
			rank,
			tail: ` . ${protocolNumber(protocol)} . ${portsText(firstPort, lastPort)}`,
			exact: firstPort === lastPort,
		})),
	);
	return lookUp(context, andPort, cells, use);
}

/** Rules of a chain for the addresses of one protocol, and of one range of ports. */
type Body = (protocol: Protocol, list: IntervalList) => string[];

/** A map of ranges to chains: for kernels without interval sets of concatenations. */
function dispatch(
	context: LookupContext,
	key: Tail,
	verdict: "jump" | "goto",
	ranges: readonly { readonly first: number; readonly last: number; readonly rules: readonly string[] }[],
): string {
	const lines = [`type ${key.type} : verdict`, "flags interval", "elements = {"];
	for (const [i, { first, last, rules }] of ranges.entries()) {
		const chain = context.store.add("chain", rules);
		const comma = i + 1 < ranges.length ? "," : "";
		context.count(-1);
		lines.push(`\t${portsText(first, last)} : ${verdict} ${chain}${comma}`);
	}
	lines.push("}");
	return `${key.read} vmap @${context.store.add("map", lines, ranges.length)}`;
}

function portDispatch(
	context: LookupContext,
	protocol: Protocol,
	segments: readonly Segment[],
	verdict: "jump" | "goto",
	body: Body,
): string {
	const ranges = segments.map(({ first, last, list }) => ({ first, last, rules: body(protocol, list) }));
	return dispatch(context, { type: "inet_service", read: `${protocol} dport` }, verdict, ranges);
}

/** The rules that go to the chain of a packet's ports. `missed`: what the chain of a source goes on with for other ports. */
function dispatches(
	context: LookupContext,
	table: Table & { readonly layer: "P" | "S" },
	verdict: "jump" | "goto",
	body: Body,
	missed: (protocol: Protocol) => readonly string[],
): string[] {
	if (table.layer === "P") {
		return [...table.segments].map(([protocol, segments]) =>
			portDispatch(context, protocol, segments, verdict, body),
		);
	}
	return [...table.sources].map(([protocol, sources]) => {
		const ranges = sources.map(({ first, last, ports }) => {
			const [only] = ports;
			const rules =
				only !== undefined && isWhole(only)
					? body(protocol, only.list)
					: [portDispatch(context, protocol, ports, verdict, body), ...missed(protocol)];
			return { first, last, rules };
		});
		return dispatch(context, sourceKey(protocol), verdict, ranges);
	});
}

function nested(context: LookupContext, table: Table, use: Use): string[] {
	if (table.layer === "W") return plain(context, table.list, use);
	if (table.layer === "T") {
		return [...table.lists].flatMap(([protocol, list]) => plainOf(context, protocol, list, use));
	}
	return dispatches(
		context,
		table,
		"jump",
		(_protocol, list) => plain(context, list, use),
		() => [],
	);
}

/** The rules of one step of a sequence. They decide the packet or let it go on. */
export function stepRules(context: LookupContext, { exempt, table }: Step): string[] {
	const rules = tableRules(context, table);
	if (exempt.length === 0) return rules;
	return [`jump ${context.store.add("chain", exemptRules(context, exempt, table, rules))}`];
}

function tableRules(context: LookupContext, table: Table, use: Use = "vmap"): string[] {
	return context.form === "concatenated" ? concatenated(context, table, use) : nested(context, table, use);
}

/** The rules of a chain that returns for what is exempt, and looks the table up, with `rules`, for the rest. */
function exemptRules(
	context: LookupContext,
	exempt: readonly Table[],
	table: Table,
	rules: readonly string[] = tableRules(context, table),
): readonly string[] {
	const [first, ...others] = exempt;
	if (first === undefined) return rules;
	if (context.form === "concatenated" || first.layer === "W" || first.layer === "T")
		return [...tableRules(context, first, "return"), ...exemptRules(context, others, table, rules)];
	// goto: the end of the segment's chain returns to where this chain was jumped to from.
	const rest = (protocol: Protocol) => exemptRules(context, others, onlyOf(table, protocol));
	const body = (protocol: Protocol, list: IntervalList) => [
		...plain(context, list, "return"),
		...rest(protocol),
	];
	return [...dispatches(context, first, "goto", body, rest), ...exemptRules(context, others, table, rules)];
}

/** What of a table can match packets of a protocol. */
function onlyOf(table: Table, protocol: Protocol): Table {
	const only = <T>(named: ReadonlyMap<Protocol, T>) =>
		new Map([...named].filter(([other]) => other === protocol));
	if (table.layer === "T") return { layer: "T", lists: only(table.lists) };
	if (table.layer === "P") return { layer: "P", segments: only(table.segments) };
	return table.layer === "S" ? { layer: "S", sources: only(table.sources) } : table;
}
