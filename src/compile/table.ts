/**
 * The lookup structures of the compiled program, before they become kernel
 * maps: what `explain` searches is what is rendered.
 */

import type { Transport } from "../policy/model.ts";
import type { Address } from "./atom.ts";
import { type IntervalList, lookup } from "./interval.ts";

/** The transports that a policy can name, in the order that tables list them. */
export const transports: readonly Transport[] = ["sctp", "tcp", "udp"];

/** A port range and the addresses that matter on it. Neighbouring segments of equal lists are one. */
export interface Segment {
	readonly first: number;
	readonly last: number;
	readonly list: IntervalList;
}

/** W tables look at the address alone, T tables at address and protocol, P tables at the port too. */
export type Table =
	| { readonly layer: "W"; readonly list: IntervalList }
	| { readonly layer: "T"; readonly lists: ReadonlyMap<Transport, IntervalList> }
	| { readonly layer: "P"; readonly segments: ReadonlyMap<Transport, readonly Segment[]> };

/** One lookup of the sequence. A hit decides, unless the packet is in one of the `exempt` sets; a miss goes on. */
export interface Step {
	readonly exempt: readonly Table[];
	readonly table: Table;
}

/** The rank found for a packet, or null. `protocol` null: none of the transports that policies name. */
export function find(
	table: Table,
	address: Address,
	protocol: Transport | null,
	port: number,
): number | null {
	if (table.layer === "W") return lookup(table.list, address);
	if (protocol === null) return null;
	if (table.layer === "T") {
		const list = table.lists.get(protocol);
		return list === undefined ? null : lookup(list, address);
	}
	const segments = table.segments.get(protocol) ?? [];
	let low = 0;
	let high = segments.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		const segment = segments[middle];
		if (segment !== undefined && segment.first <= port) low = middle + 1;
		else high = middle;
	}
	const segment = segments[low - 1];
	return segment === undefined || port > segment.last ? null : lookup(segment.list, address);
}

/** Number of intervals. */
export function size(table: Table): number {
	const lists =
		table.layer === "W"
			? [table.list]
			: table.layer === "T"
				? [...table.lists.values()]
				: [...table.segments.values()].flatMap((segments) => segments.map((segment) => segment.list));
	return lists.reduce((sum, list) => sum + list.first.length, 0);
}

export function isEmpty(table: Table): boolean {
	if (table.layer === "W") return table.list.first.length === 0;
	return table.layer === "T" ? table.lists.size === 0 : table.segments.size === 0;
}

/** A text equal exactly when the lists are. */
export function listKey(list: IntervalList): string {
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
