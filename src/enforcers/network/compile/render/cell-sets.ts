/** Cells of a table as nftables maps and sets, and the rules that look them up. */

import { addressBits } from "../../../../base/cidr.ts";
import type { Direction, Family, PortRange, Protocol, Transport } from "../../../../base/model.ts";
import { icmp, isIcmp, isTransport } from "../../../../base/protocol.ts";
import {
	addressType,
	concatenation,
	countedBy,
	addressKey as familyAddress,
	inSet,
	inSetGoto,
	joined,
	portType,
	protocolKey,
	protocolType,
	vmap,
} from "../../../../kernel/nftables/expressions.ts";
import type { MapValue, Rule } from "../../../../kernel/nftables/objects.ts";
import type { IntervalList } from "../interval.ts";
import type { RulesetForm } from "../plan.ts";
import { addressText, intervalText, maskText } from "./address-text.ts";
import { type Cell, hashable } from "./hashable.ts";
import type { ObjectStore } from "./objects.ts";
import type { PortKey } from "./port-key.ts";

/** What the lookups of one direction and family are rendered with. */
export interface LookupContext {
	readonly store: ObjectStore;
	readonly form: RulesetForm;
	readonly family: Family;
	readonly direction: Direction;
	/** How destination ports are read. */
	readonly ports: PortKey;
	/** What was made of tables, by these and by the type of the keys: trees whose rules have the same chains share it. */
	readonly made: WeakMap<object, Map<string, readonly Declared[]>>;
	/** Cells from which on blocks of one length go into a hash table. */
	readonly hashFrom: number;
	/** The chain of the rule with this rank. */
	leaf(rank: number): string;
	/** The counter of a rule that accepts without a word; null for others, and for rank -1. */
	silent(rank: number): string | null;
	/** Called for every element, or for several of one rank, for the accounting of cost; rank -1 in sets. */
	count(rank: number, elements?: number): void;
}

function addressKey({ family, direction }: LookupContext): string {
	return familyAddress(family, direction === "ingress" ? "saddr" : "daddr");
}

export type Use = "vmap" | "return";

function expression(key: string, name: string, use: Use): Rule {
	return use === "vmap" ? vmap(key, name) : inSet(key, name, "return");
}

/** What of a set tells the kernel how to keep it. */
export interface Shape {
	readonly flags?: readonly "interval"[];
	readonly size?: number;
}

export const intervals: Shape = { flags: ["interval"] };

/** A map, or a set where no cell leads anywhere. */
function declare(
	context: LookupContext,
	type: string,
	shape: Shape,
	cells: readonly Cell[],
	address: (cell: Cell) => string,
): string {
	const ranks = cells.map(({ rank }) => rank);
	return store(context, type, shape, keysText(cells, address), ranks);
}

/** @param ranks where each of the keys leads */
function store(
	context: LookupContext,
	type: string,
	shape: Shape,
	keys: string,
	ranks: readonly number[],
): string {
	const leads = leadsOf(ranks, (rank, elements) => {
		context.count(rank, elements);
		return rank < 0 ? null : { verdict: "goto", chain: context.leaf(rank) };
	});
	if (leads.values.length === 0) return context.store.set({ type, ...shape, keys });
	return context.store.map({ type, to: "verdict", ...shape, keys, ...leads });
}

function keysText(cells: readonly Cell[], address: (cell: Cell) => string): string {
	return cells.map((cell) => address(cell) + cell.tail).join("\n");
}

/** One value a rank, and for each key which. @param value is told how many keys lead to it; null where none may */
function leadsOf(ranks: readonly number[], value: (rank: number, elements: number) => MapValue | null) {
	const places = new Map<number, number>();
	const elements: number[] = [];
	const leads: number[] = [];
	let [latest, place] = [Number.NaN, -1];
	for (const rank of ranks) {
		// Neighbours lead to the same more often than not.
		if (rank !== latest) {
			place = places.get(rank) ?? elements.push(0) - 1;
			places.set(rank, place);
			latest = rank;
		}
		elements[place] = (elements[place] ?? 0) + 1;
		leads.push(place);
	}
	const found = [...places.keys()].map((rank, i) => value(rank, elements[i] ?? 0));
	const values = found.filter((one) => one !== null);
	if (values.length > 0 && values.length < found.length) throw new RangeError("some keys lead nowhere");
	return { values, leads };
}

/** A part of a key: its type, and how it is read from the packet. */
export interface Field {
	readonly type: string;
	readonly read: string;
	/** What has to stand before it in the rule; nothing where it is left out. */
	readonly guard?: string;
}

/** The parts of a key behind the address. */
export type Tail = readonly Field[];

const protocolField: Field = { type: protocolType, read: protocolKey };

export const andProtocol: Tail = [protocolField];

export function andPort(context: LookupContext): Tail {
	return [protocolField, portField(context)];
}

/** The destination port of a protocol, or of each that has ports. */
export function portField({ ports }: Pick<LookupContext, "ports">, protocol?: Transport): Field {
	return { type: portType, ...ports.read(protocol) };
}

/** The rule behind what its fields need before them. */
export function guarded(fields: readonly Field[], rule: Rule): Rule {
	return joined(fields.map(({ guard = "" }) => guard).join(""), rule);
}

/** A set or map with cells of a table. */
export interface Declared {
	readonly name: string;
	/** What the address is compared under: ` & 255.255.255.0`, or "". */
	readonly mask: string;
	/** Its elements are counters, and what it has is accepted. */
	readonly counts: boolean;
	/** Where what it has goes, if that is the same for all; absent where its elements say so themselves. */
	readonly chain?: string;
}

/**
 * The rules that look cells up. The cells are disjoint, so the order of the lookups means nothing.
 * @param of what the cells are made of; null where that has others as well.
 */
export function lookUp(
	context: LookupContext,
	tail: Tail,
	of: object | null,
	cells: () => readonly Cell[],
	use: Use,
): Rule[] {
	const type = concatenation(addressType(context.family), ...tail.map((field) => field.type));
	const declared = once(context, of, type, () => declareAll(context, type, cells()));
	const reads = tail.map(({ read }) => read);
	return declared.map(({ name, mask, counts }) => {
		const key = concatenation(addressKey(context) + mask, ...reads);
		return guarded(tail, counts ? countedBy(key, name) : expression(key, name, use));
	});
}

/** What was made of a table before, or is made now. */
function once(
	{ made }: LookupContext,
	of: object | null,
	type: string,
	declare: () => readonly Declared[],
): readonly Declared[] {
	const known = of === null ? undefined : made.get(of)?.get(type);
	const declared = known ?? declare();
	if (of !== null && known === undefined) made.set(of, (made.get(of) ?? new Map()).set(type, declared));
	return declared;
}

function declareAll(context: LookupContext, type: string, cells: readonly Cell[]): Declared[] {
	const { blocks, rest } = hashable(cells, context.hashFrom, (rank) => context.silent(rank) !== null);
	const declared = blocks.map((block): Declared => {
		const mask =
			block.length === addressBits(context.family) ? "" : ` & ${maskText(context.family, block.length)}`;
		// A set of a given size that never grows gets the kernel's cheapest hash table.
		const shape = { size: block.cells.length };
		const name = block.silent
			? counterMap(context, type, shape, block.cells)
			: declare(context, type, shape, block.cells, firstAddress);
		return { name, mask, counts: block.silent };
	});
	if (rest.length === 0) return declared;
	const name = declare(context, type, intervals, rest, ({ first, last }) => intervalText(first, last));
	return [...declared, { name, mask: "", counts: false }];
}

function firstAddress({ first }: Cell): string {
	return addressText(first);
}

/**
 * Silently accepted cells with their counters: one lookup counts and accepts, where a verdict map would send every
 * packet through a chain of its rule's own, whose memory is seldom in the cache when there are thousands. For the same
 * reason elements have no comments: with one an element no longer fits into a line of the cache.
 */
function counterMap(context: LookupContext, type: string, shape: Shape, cells: readonly Cell[]): string {
	const ranks = cells.map(({ rank }) => rank);
	const leads = leadsOf(ranks, (rank, elements) => {
		context.count(rank, elements);
		const counter = context.silent(rank);
		if (counter === null) throw new RangeError("a rule that is not silent");
		return { counter };
	});
	return context.store.map({ type, to: "counter", ...shape, keys: keysText(cells, firstAddress), ...leads });
}

export function listCells(list: IntervalList, tail: string): Cell[] {
	return list.first.map((first, i) => {
		const last = list.last[i];
		const rank = list.rank[i];
		if (last === undefined || rank === undefined) throw new RangeError("interval list");
		return { first, last, rank, tail, exact: true };
	});
}

/**
 * Lookups of the address alone: a tree, whose lookups grow with the logarithm of what it holds. Where all of it is one
 * rule's it is a set and no map: half the bytes are sent, and the plan has no list of where each key leads.
 */
export function plain(context: LookupContext, list: IntervalList, use: Use): Rule[] {
	const declared = once(context, list, addressType(context.family), () => declareList(context, list));
	const key = addressKey(context);
	return declared.map(({ name, chain }) =>
		chain === undefined || use === "return" ? expression(key, name, use) : inSetGoto(key, name, chain),
	);
}

function declareList(context: LookupContext, { first, last, rank }: IntervalList): readonly Declared[] {
	const [only] = rank;
	if (only === undefined) return [];
	const type = addressType(context.family);
	const keys = first.map((from, i) => intervalText(from, last[i] ?? from)).join("\n");
	const declared = { mask: "", counts: false };
	if (only < 0 || rank.some((other) => other !== only))
		return [{ ...declared, name: store(context, type, intervals, keys, rank) }];
	const before = context.store.size;
	const name = context.store.set({ type, ...intervals, keys });
	// The same list of another rule, or of another direction, is one set.
	if (context.store.size > before) context.count(only, rank.length);
	return [{ ...declared, name, chain: context.leaf(only) }];
}

/** How nftables calls what the transport header begins with. */
export function sourceKey(protocol: Protocol): Field {
	if (isTransport(protocol)) return { type: portType, read: `${protocol} sport` };
	if (!isIcmp(protocol)) throw new RangeError("a protocol without ports and types");
	const name = protocol === icmp ? "icmp" : "icmpv6";
	return { type: `${name}_type`, read: `${name} type` };
}

export function isWhole({ first, last }: PortRange): boolean {
	return first === 0 && last === 65535;
}
