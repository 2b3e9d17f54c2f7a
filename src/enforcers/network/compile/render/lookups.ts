/** Tables as nftables maps and sets, and the rules that look them up, in both ruleset forms. */

import { addressBits } from "../../../../base/cidr.ts";
import type { Direction, Family, PortRange, Protocol } from "../../../../base/model.ts";
import { rangeText } from "../../../../base/port-range.ts";
import { icmp, isIcmp, isTransport, protocolNumber } from "../../../../base/protocol.ts";
import {
	addressType,
	concatenation,
	countedBy,
	destinationPort,
	addressKey as familyAddress,
	inSet,
	joined,
	jump,
	portType,
	protocolKey,
	protocolType,
	vmap,
} from "../../../../kernel/nftables/expressions.ts";
import type { MapValue, Rule } from "../../../../kernel/nftables/objects.ts";
import type { IntervalList } from "../interval.ts";
import type { RulesetForm } from "../plan.ts";
import type { Segment, Step, Table } from "../table.ts";
import { addressText, intervalText, maskText } from "./address-text.ts";
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
	return familyAddress(family, direction === "ingress" ? "saddr" : "daddr");
}

type Use = "vmap" | "return";

function expression(key: string, name: string, use: Use): Rule {
	return use === "vmap" ? vmap(key, name) : inSet(key, name, "return");
}

/** What of a set tells the kernel how to keep it. */
interface Shape {
	readonly flags?: readonly "interval"[];
	readonly size?: number;
}

const intervals: Shape = { flags: ["interval"] };

/** A map, or a set where no cell leads anywhere. */
function declare(
	context: LookupContext,
	type: string,
	shape: Shape,
	cells: readonly Cell[],
	address: (cell: Cell) => string,
): string {
	const keys = keysText(cells, address);
	for (const { rank } of cells) context.count(rank);
	if (!cells.some(({ rank }) => rank >= 0)) return context.store.set({ type, ...shape, keys });
	const leads = byRank(cells, (rank) => ({ verdict: "goto", chain: context.leaf(rank) }));
	return context.store.map({ type, to: "verdict", ...shape, keys, ...leads });
}

function keysText(cells: readonly Cell[], address: (cell: Cell) => string): string {
	return cells.map((cell) => address(cell) + cell.tail).join("\n");
}

/** One value a rank, and for each cell which. */
function byRank(cells: readonly Cell[], value: (rank: number) => MapValue) {
	const values: MapValue[] = [];
	const places = new Map<number, number>();
	const leads = cells.map(({ rank }) => {
		const place = places.get(rank) ?? values.push(value(rank)) - 1;
		places.set(rank, place);
		return place;
	});
	return { values, leads };
}

/** A part of a key: its type, and how it is read from the packet. */
interface Field {
	readonly type: string;
	readonly read: string;
}

/** The parts of a key behind the address. */
type Tail = readonly Field[];

const protocolField: Field = { type: protocolType, read: protocolKey };
const portField: Field = { type: portType, read: destinationPort };

const addressAlone: Tail = [];
const andProtocol: Tail = [protocolField];
const andPort: Tail = [protocolField, portField];

/** The rules that look these cells up. The cells are disjoint, so the order of the lookups means nothing. */
function lookUp(context: LookupContext, tail: Tail, cells: readonly Cell[], use: Use): Rule[] {
	const type = concatenation(addressType(context.family), ...tail.map((field) => field.type));
	const reads = tail.map(({ read }) => read);
	// A set of addresses alone is a tree: its lookups grow with the logarithm, and it loads as fast as it can.
	const { blocks, rest } =
		tail.length === 0
			? { blocks: [], rest: cells }
			: hashable(cells, context.hashFrom, (rank) => context.silent(rank) !== null);
	const rules = blocks.map((block) => {
		const mask =
			block.length === addressBits(context.family) ? "" : ` & ${maskText(context.family, block.length)}`;
		const key = concatenation(addressKey(context) + mask, ...reads);
		// A set of a given size that never grows gets the kernel's cheapest hash table.
		const shape = { size: block.cells.length };
		if (block.silent) return countedBy(key, counterMap(context, type, shape, block.cells));
		return expression(key, declare(context, type, shape, block.cells, firstAddress), use);
	});
	if (rest.length === 0) return rules;
	const name = declare(context, type, intervals, rest, ({ first, last }) => intervalText(first, last));
	return [...rules, expression(concatenation(addressKey(context), ...reads), name, use)];
}

function firstAddress({ first }: Cell): string {
	return addressText(first);
}

/**
 * Silently accepted cells with their counters: one lookup counts and accepts, where a verdict map would send every
 * packet through a chain of its rule's own, whose memory is seldom in the cache when there are thousands.
 */
function counterMap(context: LookupContext, type: string, shape: Shape, cells: readonly Cell[]): string {
	for (const { rank } of cells) context.count(rank);
	const leads = byRank(cells, (rank) => {
		const value = context.silent(rank);
		if (value === null) throw new RangeError("a rule that is not silent");
		return value;
	});
	return context.store.map({ type, to: "counter", ...shape, keys: keysText(cells, firstAddress), ...leads });
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
function plain(context: LookupContext, list: IntervalList, use: Use): Rule[] {
	return lookUp(context, addressAlone, listCells(list, ""), use);
}

/**
 * Up to so many protocols without ports are compared one by one: packets of others are spared a lookup, which
 * costs about as much as four comparisons.
 */
const mostCompared = 4;

function plainOf(context: LookupContext, protocol: Protocol, list: IntervalList, use: Use): Rule[] {
	return plain(context, list, use).map((rule) => joined(`${protocolKey} ${protocolNumber(protocol)} `, rule));
}

function protocolLookups(context: LookupContext, table: Table & { readonly layer: "T" }, use: Use): Rule[] {
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
export function sourceKey(protocol: Protocol): Field {
	if (isTransport(protocol)) return { type: portType, read: `${protocol} sport` };
	if (!isIcmp(protocol)) throw new RangeError("a protocol without ports and types");
	const name = protocol === icmp ? "icmp" : "icmpv6";
	return { type: `${name}_type`, read: `${name} type` };
}

function isWhole({ first, last }: PortRange): boolean {
	return first === 0 && last === 65535;
}

/** Per protocol, so that packets of others are spared the lookup; and one of the ports only where they matter. */
function sourceLookups(context: LookupContext, table: Table & { readonly layer: "S" }, use: Use): Rule[] {
	return [...table.sources].flatMap(([protocol, sources]) => {
		const key = sourceKey(protocol);
		const any: Cell[] = [];
		const limited: Cell[] = [];
		for (const source of sources) {
			for (const { first, last, rank, firstPort, lastPort } of boxesOf(source.ports)) {
				const tail = ` . ${rangeText(source)}`;
				const exact = source.first === source.last;
				const range = { first: firstPort, last: lastPort };
				if (isWhole(range)) any.push({ first, last, rank, tail, exact });
				else {
					const ports = rangeText(range);
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
		const port = { type: portType, read: `${protocol} dport` };
		return [
			...(any.length === 0 ? [] : lookUp(context, [key], any, use)),
			...(limited.length === 0 ? [] : lookUp(context, [key, port], limited, use)),
		];
	});
}

/** The rules that look a table up in maps whose keys are concatenations. */
function concatenated(context: LookupContext, table: Table, use: Use): Rule[] {
	if (table.layer === "W") return plain(context, table.list, use);
	if (table.layer === "T") return protocolLookups(context, table, use);
	if (table.layer === "S") return sourceLookups(context, table, use);
	const cells = [...table.segments].flatMap(([protocol, segments]) =>
		boxesOf(segments).map(({ first, last, rank, firstPort, lastPort }) => ({
			first,
			last,
			rank,
			tail: ` . ${protocolNumber(protocol)} . ${rangeText({ first: firstPort, last: lastPort })}`,
			exact: firstPort === lastPort,
		})),
	);
	return lookUp(context, andPort, cells, use);
}

/** Rules of a chain for the addresses of one protocol, and of one range of ports. */
type Body = (protocol: Protocol, list: IntervalList) => Rule[];

/** A map of ranges to chains: for kernels without interval sets of concatenations. */
function dispatch(
	context: LookupContext,
	key: Field,
	verdict: "jump" | "goto",
	ranges: readonly { readonly first: number; readonly last: number; readonly rules: readonly Rule[] }[],
): Rule {
	const values = ranges.map(({ rules }) => {
		context.count(-1);
		return { verdict, chain: context.store.chain(rules) };
	});
	const keys = ranges.map(rangeText).join("\n");
	const leads = ranges.map((_, i) => i);
	return vmap(
		key.read,
		context.store.map({ type: key.type, to: "verdict", ...intervals, keys, values, leads }),
	);
}

function portDispatch(
	context: LookupContext,
	protocol: Protocol,
	segments: readonly Segment[],
	verdict: "jump" | "goto",
	body: Body,
): Rule {
	const ranges = segments.map(({ first, last, list }) => ({ first, last, rules: body(protocol, list) }));
	return dispatch(context, { type: portType, read: `${protocol} dport` }, verdict, ranges);
}

/** The rules that go to the chain of a packet's ports. `missed`: what the chain of a source goes on with for other ports. */
function dispatches(
	context: LookupContext,
	table: Table & { readonly layer: "P" | "S" },
	verdict: "jump" | "goto",
	body: Body,
	missed: (protocol: Protocol) => readonly Rule[],
): Rule[] {
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

function nested(context: LookupContext, table: Table, use: Use): Rule[] {
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
export function stepRules(context: LookupContext, { exempt, table }: Step): Rule[] {
	const rules = tableRules(context, table);
	if (exempt.length === 0) return rules;
	return [jump(context.store.chain(exemptRules(context, exempt, table, rules)))];
}

function tableRules(context: LookupContext, table: Table, use: Use = "vmap"): Rule[] {
	return context.form === "concatenated" ? concatenated(context, table, use) : nested(context, table, use);
}

/** The rules of a chain that returns for what is exempt, and looks the table up, with `rules`, for the rest. */
function exemptRules(
	context: LookupContext,
	exempt: readonly Table[],
	table: Table,
	rules: readonly Rule[] = tableRules(context, table),
): readonly Rule[] {
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
