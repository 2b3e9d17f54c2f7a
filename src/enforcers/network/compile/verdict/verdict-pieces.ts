/** Lists of addresses with what programs say there: cut, joined and put over each other. Pure. */

import type { Action } from "../../../../base/model.ts";
import type { Address } from "../atom.ts";

/** Addresses from `first` to `last`, and what each program says there. */
export interface Piece {
	readonly first: Address;
	readonly last: Address;
	readonly actions: readonly Action[];
}

/** The next address; none comes behind the last of a family. */
export function after(address: Address): Address {
	return typeof address === "bigint" ? address + 1n : address + 1;
}

/** The address before. */
export function before(address: Address): Address {
	return typeof address === "bigint" ? address - 1n : address - 1;
}

/** Inclusive. */
export interface Interval {
	readonly first: Address;
	readonly last: Address;
}

/** The same addresses in disjoint intervals, in rising order, each with those that it was made of. */
export function union(
	intervals: readonly Interval[],
): readonly (Interval & { readonly members: readonly Interval[] })[] {
	const sorted = [...intervals].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
	const joined: { first: Address; last: Address; members: Interval[] }[] = [];
	for (const interval of sorted) {
		const { first, last } = interval;
		const previous = joined.at(-1);
		if (previous !== undefined && first <= previous.last) {
			if (last > previous.last) previous.last = last;
			previous.members.push(interval);
		} else joined.push({ first, last, members: [interval] });
	}
	return joined;
}

/** Takes pieces off a list from its beginning, cut where it is told to. */
export class Cursor {
	readonly #pieces: readonly Piece[];
	#at = 0;
	#start: Address | null;

	constructor(pieces: readonly Piece[]) {
		this.#pieces = pieces;
		this.#start = pieces[0]?.first ?? null;
	}

	/** What is left before `limit`; everything for null. */
	*until(limit: Address | null): Generator<Piece> {
		for (;;) {
			const piece = this.#pieces[this.#at];
			if (piece === undefined || this.#start === null) return;
			if (limit !== null && this.#start >= limit) return;
			const first = this.#start;
			if (limit === null || piece.last < limit) {
				this.#at += 1;
				this.#start = this.#pieces[this.#at]?.first ?? null;
				yield { ...piece, first };
			} else {
				this.#start = limit;
				yield { ...piece, first, last: before(limit) };
			}
		}
	}
}

/** Where pieces of `within` begin: its first address, and where an interval begins or has just ended. */
export function cornersWithin(within: Interval, bounds: readonly Interval[]): readonly Address[] {
	const corners = new Set<Address>([within.first]);
	for (const { first, last } of bounds) {
		if (first > within.first && first <= within.last) corners.add(first);
		if (last >= within.first && last < within.last) corners.add(after(last));
	}
	return [...corners].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Joins neighbours that are alike. */
export class PieceList {
	readonly pieces: { first: Address; last: Address; actions: readonly Action[] }[] = [];

	constructor(pieces: readonly Piece[] = []) {
		for (const { first, last, actions } of pieces) this.add(first, last, actions);
	}

	add(first: Address, last: Address, actions: readonly Action[]): void {
		const previous = this.pieces.at(-1);
		if (
			previous !== undefined &&
			after(previous.last) === first &&
			previous.actions.every((action, i) => action === actions[i])
		) {
			previous.last = last;
		} else this.pieces.push({ first, last, actions });
	}
}
