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

/** Puts pieces over a list without gaps, from its beginning on; what lies between them is taken as it is. */
export class Overlay {
	readonly #under: readonly Piece[];
	readonly #pieces: Piece[] = [];
	/** The first piece of the list that is not wholly behind. */
	#at = 0;

	constructor(under: readonly Piece[]) {
		this.#under = under;
	}

	/** What lies before `limit` and was not taken yet. */
	takeUntil(limit: Address): void {
		this.#take((piece) => piece.last < limit);
		const piece = this.#under[this.#at];
		const start = this.#start();
		if (piece !== undefined && start < limit) this.#join({ ...piece, first: start, last: before(limit) });
	}

	/** A piece that begins where what was taken ends. */
	put(piece: Piece): void {
		this.#join(piece);
		for (let under = this.#under[this.#at]; under !== undefined && under.last <= piece.last; ) {
			this.#at += 1;
			under = this.#under[this.#at];
		}
	}

	/** Everything, with what is left. */
	finish(): readonly Piece[] {
		this.#take(() => true);
		return this.#pieces;
	}

	#take(whole: (piece: Piece) => boolean): void {
		const first = this.#under[this.#at];
		if (first === undefined || !whole(first)) return;
		// Its beginning may be taken, and it may be like what is before; those behind it are alike neither way.
		const start = this.#start();
		if (start <= first.last) this.#join(start === first.first ? first : { ...first, first: start });
		this.#at += 1;
		for (
			let piece = this.#under[this.#at];
			piece !== undefined && whole(piece);
			piece = this.#under[this.#at]
		) {
			this.#pieces.push(piece);
			this.#at += 1;
		}
	}

	/** Where the next piece begins. */
	#start(): Address {
		const last = this.#pieces.at(-1)?.last;
		return last === undefined ? (this.#under[0]?.first ?? 0) : after(last);
	}

	#join(piece: Piece): void {
		const previous = this.#pieces.at(-1);
		if (previous?.actions.every((action, i) => action === piece.actions[i]) === true)
			this.#pieces[this.#pieces.length - 1] = { ...previous, last: piece.last };
		else this.#pieces.push(piece);
	}
}

/** The pieces of a list in rising order that have something within the interval. */
export function piecesWithin(pieces: readonly Piece[], { first, last }: Interval): readonly Piece[] {
	const from = firstBehind(pieces, ({ last: end }) => end >= first);
	const to = firstBehind(pieces, ({ first: begin }) => begin > last);
	return pieces.slice(from, to);
}

/** The index of the first of which it is true, where it is true of all behind it. */
function firstBehind(pieces: readonly Piece[], holds: (piece: Piece) => boolean): number {
	let [low, high] = [0, pieces.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		const piece = pieces[middle];
		if (piece !== undefined && holds(piece)) high = middle;
		else low = middle + 1;
	}
	return low;
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
