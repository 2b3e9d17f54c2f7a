/**
 * Address intervals. The bounds of all atoms of one direction and family make
 * an axis; algorithms work on positions of that axis and only tables hold
 * addresses, so IPv4 and IPv6 share all code.
 */

import type { Address, Atom } from "./atom.ts";

/** Sorted, disjoint, inclusive intervals with the rank of the rule that each leads to (-1 in a plain set). */
export interface IntervalList {
	readonly first: readonly Address[];
	readonly last: readonly Address[];
	readonly rank: readonly number[];
}

/** A half-open stretch of axis positions. */
export interface Stretch {
	readonly from: number;
	readonly to: number;
}

/** A stretch with what covers it. */
export interface Span<T> extends Stretch {
	readonly item: T;
}

/** The rank at an address, or null outside all intervals. Binary search. */
export function lookup(list: IntervalList, address: Address): number | null {
	let low = 0;
	let high = list.first.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		const first = list.first[middle];
		if (first !== undefined && first <= address) low = middle + 1;
		else high = middle;
	}
	const last = list.last[low - 1];
	const rank = list.rank[low - 1];
	return last !== undefined && rank !== undefined && address <= last ? rank : null;
}

/** Collects spans in rising order into an interval list; neighbours of one rank become one interval. */
export class IntervalBuilder {
	readonly #axis: Axis;
	readonly #first: Address[] = [];
	readonly #last: Address[] = [];
	readonly #rank: number[] = [];
	#end = -1;

	constructor(axis: Axis) {
		this.#axis = axis;
	}

	add(from: number, to: number, rank: number): void {
		const last = this.#axis.before(to);
		if (this.#end === from && this.#rank.at(-1) === rank) {
			this.#last[this.#last.length - 1] = last;
		} else {
			this.#first.push(this.#axis.at(from));
			this.#last.push(last);
			this.#rank.push(rank);
		}
		this.#end = to;
	}

	get list(): IntervalList {
		return { first: this.#first, last: this.#last, rank: this.#rank };
	}
}

/** The items in order; most lists come in it, and looking costs less than sorting. */
export function inOrder<T>(items: readonly T[], compare: (a: T, b: T) => number): readonly T[] {
	let previous: T | undefined;
	for (const item of items) {
		if (previous !== undefined && compare(previous, item) > 0) return [...items].sort(compare);
		previous = item;
	}
	return items;
}

/** All items of these lists; no copy where one list has them all. */
export function joinedLists<T>(lists: readonly (readonly T[])[]): readonly T[] {
	return lists.length === 1 ? (lists[0] ?? []) : lists.flat();
}

export class Axis {
	readonly #points: ArrayLike<Address>;
	readonly #six: boolean;

	private constructor(points: ArrayLike<Address>, six: boolean) {
		this.#points = points;
		this.#six = six;
	}

	/** The axis of all bounds of these atoms and their holes. All of one family. */
	static of(atoms: readonly Atom[], family: 4 | 6): Axis {
		if (family === 4) {
			const bounds = new Float64Array(atoms.reduce((sum, atom) => sum + 2 + 2 * atom.holes.length, 0));
			let at = 0;
			for (const atom of atoms) {
				bounds[at++] = Number(atom.first);
				bounds[at++] = Number(atom.last) + 1;
				for (const hole of atom.holes) {
					bounds[at++] = Number(hole.first);
					bounds[at++] = Number(hole.last) + 1;
				}
			}
			bounds.sort();
			let count = 0;
			for (const bound of bounds) if (count === 0 || bounds[count - 1] !== bound) bounds[count++] = bound;
			return new Axis(bounds.subarray(0, count), false);
		}
		const bounds = new Set<bigint>();
		for (const atom of atoms) {
			for (const block of [atom, ...atom.holes]) {
				bounds.add(BigInt(block.first)).add(BigInt(block.last) + 1n);
			}
		}
		return new Axis(
			[...bounds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
			true,
		);
	}

	at(position: number): Address {
		const point = this.#points[position];
		if (point === undefined) throw new RangeError(`axis position ${position}`);
		return point;
	}

	/** The last address before a position. */
	before(position: number): Address {
		const point = this.at(position);
		return this.#six ? BigInt(point) - 1n : Number(point) - 1;
	}

	/** The position of a bound, which is `guess` or the one behind it where addresses are asked for in rising order. */
	#position(address: Address, guess: number): number {
		const points = this.#points;
		if (points[guess] === address) return guess;
		if (points[guess + 1] === address) return guess + 1;
		let low = 0;
		let high = points.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			const point = points[middle];
			if (point !== undefined && point < address) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	#after(address: Address, guess: number): number {
		return this.#position(this.#six ? BigInt(address) + 1n : Number(address) + 1, guess);
	}

	/** What atoms match, each its block less its holes. */
	spans<T extends Atom>(atoms: readonly T[]): Span<T>[] {
		const spans: Span<T>[] = [];
		this.eachSpan(atoms, (from, to, item) => spans.push({ from, to, item }));
		return spans;
	}

	/** The same, told one by one. */
	eachSpan<T extends Atom>(atoms: readonly T[], found: (from: number, to: number, atom: T) => void): void {
		let guess = 0;
		for (const atom of atoms) {
			let from = this.#position(atom.first, guess);
			const end = this.#after(atom.last, from);
			guess = end;
			if (atom.holes.length > 0) {
				const holes = atom.holes.map(
					(hole) => [this.#position(hole.first, from), this.#after(hole.last, from)] as const,
				);
				for (const [start, stop] of holes.sort((a, b) => a[0] - b[0])) {
					if (start > from) found(from, start, atom);
					from = Math.max(from, stop);
				}
			}
			if (from < end) found(from, end, atom);
		}
	}
}

/**
 * Visits, in rising order, every maximal stretch over which the set of covering
 * items is constant and not empty. `active` is only valid during the call.
 */
export function sweep<T extends Stretch>(
	spans: readonly T[],
	visit: (from: number, to: number, active: readonly T[]) => void,
): void {
	const starts = inOrder(spans, (a, b) => a.from - b.from);
	if (areApart(starts)) {
		const alone: T[] = [];
		for (const span of starts) {
			alone[0] = span;
			visit(span.from, span.to, alone);
		}
		return;
	}
	const ends = new Int32Array(starts.length);
	for (let i = 0; i < ends.length; i++) ends[i] = starts[i]?.to ?? 0;
	ends.sort();
	const active: T[] = [];
	let position = 0;
	let next = 0;
	let ended = 0;
	while (ended < ends.length) {
		const end = ends[ended] ?? 0;
		const boundary = Math.min(end, starts[next]?.from ?? end);
		if (active.length > 0 && boundary > position) visit(position, boundary, active);
		position = boundary;
		if (boundary === end) {
			let open = 0;
			for (const span of active) if (span.to > boundary) active[open++] = span;
			active.length = open;
			while (ended < ends.length && ends[ended] === boundary) ended++;
		}
		for (let span = starts[next]; span?.from === boundary; span = starts[next]) {
			active.push(span);
			next++;
		}
	}
}

/** Whether spans, in rising order, have nothing in common, as the blocks of most lists. */
function areApart(spans: readonly Stretch[]): boolean {
	let end = 0;
	for (const { from, to } of spans) {
		if (from < end || to <= from) return false;
		end = to;
	}
	return true;
}

/** The union of spans as a set without ranks. */
export function union(spans: readonly Stretch[], axis: Axis): IntervalList {
	const builder = new IntervalBuilder(axis);
	sweep(spans, (from, to) => builder.add(from, to, -1));
	return builder.list;
}
