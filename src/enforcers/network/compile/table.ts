/**
 * The lookup structures of the compiled program, before they become kernel
 * maps: what `explain` searches is what is rendered.
 */

import type { Protocol, Transport } from "../../../base/model.ts";
import type { Address } from "./atom.ts";
import { type IntervalList, lookup } from "./interval.ts";

/** The protocols with ports that a policy can name, in the order that tables list them. */
export const transports: readonly Transport[] = ["sctp", "tcp", "udp"];

/** A port range and the addresses that matter on it. Neighbouring segments of equal lists are one. */
export interface Segment {
	readonly first: number;
	readonly last: number;
	readonly list: IntervalList;
}

/** A range of source ports, or of ICMP types, and the destination ports that matter with it: 0..65535 for all. */
export interface SourceSegment {
	readonly first: number;
	readonly last: number;
	readonly ports: readonly Segment[];
}

/**
 * W tables look at the address alone, T tables at address and protocol, P tables at the destination port too, and
 * S tables at what the transport header begins with as well: the source port, or ICMP's type.
 */
export type Table =
	| { readonly layer: "W"; readonly list: IntervalList }
	| { readonly layer: "T"; readonly lists: ReadonlyMap<Protocol, IntervalList> }
	| { readonly layer: "P"; readonly segments: ReadonlyMap<Protocol, readonly Segment[]> }
	| { readonly layer: "S"; readonly sources: ReadonlyMap<Protocol, readonly SourceSegment[]> };

/** What tables know of a packet. */
export interface Key {
	readonly address: Address;
	/** Null: one that no rule names. */
	readonly protocol: Protocol | null;
	/** The source port, or ICMP's type. Null: one that no rule names. */
	readonly source: number | null;
	/** The destination port; 0 of protocols without ports. */
	readonly port: number;
}

/** One lookup of the sequence. A hit decides, unless the packet is in one of the `exempt` sets; a miss goes on. */
export interface Step {
	readonly exempt: readonly Table[];
	readonly table: Table;
}

/** The rank found for a packet, or null. */
export function find(table: Table, { address, protocol, source, port }: Key): number | null {
	if (table.layer === "W") return lookup(table.list, address);
	if (protocol === null) return null;
	if (table.layer === "T") {
		const list = table.lists.get(protocol);
		return list === undefined ? null : lookup(list, address);
	}
	if (table.layer === "P") return inSegments(table.segments.get(protocol) ?? [], port, address);
	const ports = source === null ? undefined : segmentAt(table.sources.get(protocol) ?? [], source)?.ports;
	return ports === undefined ? null : inSegments(ports, port, address);
}

function inSegments(segments: readonly Segment[], port: number, address: Address): number | null {
	const segment = segmentAt(segments, port);
	return segment === undefined ? null : lookup(segment.list, address);
}

/** The one of some disjoint ranges in rising order that holds a value. Binary search. */
export function segmentAt<T extends { readonly first: number; readonly last: number }>(
	segments: readonly T[],
	value: number,
): T | undefined {
	let low = 0;
	let high = segments.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		const segment = segments[middle];
		if (segment !== undefined && segment.first <= value) low = middle + 1;
		else high = middle;
	}
	const segment = segments[low - 1];
	return segment === undefined || value > segment.last ? undefined : segment;
}

/** The interval lists of a table. */
function listsOf(table: Table): IntervalList[] {
	const of = (segments: readonly Segment[]) => segments.map(({ list }) => list);
	if (table.layer === "W") return [table.list];
	if (table.layer === "T") return [...table.lists.values()];
	if (table.layer === "P") return [...table.segments.values()].flatMap(of);
	return [...table.sources.values()].flatMap((sources) => sources.flatMap(({ ports }) => of(ports)));
}

/** Number of intervals. */
export function size(table: Table): number {
	return listsOf(table).reduce((sum, list) => sum + list.first.length, 0);
}

export function isEmpty(table: Table): boolean {
	if (table.layer === "W") return table.list.first.length === 0;
	if (table.layer === "T") return table.lists.size === 0;
	return (table.layer === "P" ? table.segments : table.sources).size === 0;
}

/** A text equal exactly when the lists are. */
function listKey(list: IntervalList): string {
	let key = "";
	for (const [i, first] of list.first.entries()) key += `${first}-${list.last[i]}=${list.rank[i]};`;
	return key;
}

/** Joins neighbouring segments whose lists are equal; drops empty ones. Input sorted by port. */
export function mergeSegments(segments: readonly Segment[]): Segment[] {
	const merged: { first: number; last: number; list: IntervalList; key: string }[] = [];
	for (const { first, last, list } of segments) {
		if (list.first.length === 0) continue;
		const key = listKey(list);
		const previous = merged.at(-1);
		if (previous !== undefined && previous.last + 1 === first && previous.key === key) previous.last = last;
		else merged.push({ first, last, list, key });
	}
	return merged.map(({ first, last, list }) => ({ first, last, list }));
}

/** Joins neighbouring ranges with equal ports; drops empty ones. Input sorted. */
export function mergeSources(sources: readonly SourceSegment[]): SourceSegment[] {
	const merged: { first: number; last: number; ports: readonly Segment[]; key: string }[] = [];
	for (const { first, last, ports } of sources) {
		if (ports.length === 0) continue;
		const key = ports.map((segment) => `${segment.first}-${segment.last}:${listKey(segment.list)}`).join(" ");
		const previous = merged.at(-1);
		if (previous !== undefined && previous.last + 1 === first && previous.key === key) previous.last = last;
		else merged.push({ first, last, ports, key });
	}
	return merged.map(({ first, last, ports }) => ({ first, last, ports }));
}

/**
 * Two tables of one layer as one, when no key is in both. Null when their
 * intervals meet, or the layers differ.
 */
export function mergeDisjoint(a: Table, b: Table): Table | null {
	if (a.layer === "W" && b.layer === "W") {
		const list = mergeLists(a.list, b.list);
		return list === null ? null : { layer: "W", list };
	}
	if (a.layer === "T" && b.layer === "T") {
		const lists = new Map(a.lists);
		for (const [protocol, list] of b.lists) {
			const other = lists.get(protocol);
			const merged = other === undefined ? list : mergeLists(other, list);
			if (merged === null) return null;
			lists.set(protocol, merged);
		}
		return { layer: "T", lists };
	}
	return null;
}

function mergeLists(a: IntervalList, b: IntervalList): IntervalList | null {
	const first: Address[] = [];
	const last: Address[] = [];
	const rank: number[] = [];
	let i = 0;
	let j = 0;
	while (i < a.first.length || j < b.first.length) {
		const x = a.first[i];
		const y = b.first[j];
		const left = y === undefined || (x !== undefined && x < y);
		const [list, at] = left ? [a, i++] : [b, j++];
		const start = list.first[at];
		const end = list.last[at];
		const value = list.rank[at];
		if (start === undefined || end === undefined || value === undefined)
			throw new RangeError("interval list");
		const previous = last.at(-1);
		if (previous !== undefined && start <= previous) return null;
		first.push(start);
		last.push(end);
		rank.push(value);
	}
	return { first, last, rank };
}
