/**
 * Which cells of a table a hash table can hold. Interval sets of concatenations
 * pay for every element at every lookup (nft_set_pipapo.c reads bitmaps with a
 * bit for each); a hash lookup of the address under a netmask costs the same
 * for ten and for a million. So blocks of the few lengths that most cells of a
 * large table have go into hash tables, one a length (tuple space search).
 */

import { blockLength } from "./address-text.ts";
import type { Address } from "./atom.ts";

/** An interval of addresses with what follows in its key. */
export interface Cell {
	readonly first: Address;
	readonly last: Address;
	readonly rank: number;
	/** The rest of the key, rendered. */
	readonly tail: string;
	/** Whether the rest of the key is single values, without a range. */
	readonly exact: boolean;
}

export interface Hashable {
	/** Cells that are blocks of one length each, 1..128. */
	readonly blocks: readonly { readonly length: number; readonly cells: readonly Cell[] }[];
	/** Everything else, in its order. */
	readonly rest: readonly Cell[];
}

/** Below this many elements an interval set costs about what a hash table does. */
export const hashFrom = 512;

/** Every length is a lookup of its own; a hash table that holds less of the whole is not worth one. */
const leastShare = 8;
const mostLengths = 3;

/** Divides the cells of one table; `fewest` is how many make a hash table worthwhile, 1 or more. */
export function hashable(cells: readonly Cell[], fewest: number): Hashable {
	if (cells.length < fewest) return { blocks: [], rest: cells };
	const lengths = cells.map(({ first, last, exact }) => (exact ? (blockLength(first, last) ?? 0) : 0));
	const counts = new Map<number, number>();
	for (const length of lengths) counts.set(length, (counts.get(length) ?? 0) + 1);
	const chosen = [...counts]
		.filter(([length, count]) => length > 0 && count >= fewest && count * leastShare >= cells.length)
		.sort((a, b) => b[1] - a[1])
		.slice(0, mostLengths)
		.map(([length]) => length);
	const blocks = chosen.map((length) => ({ length, cells: cells.filter((_, i) => lengths[i] === length) }));
	return { blocks, rest: cells.filter((_, i) => !chosen.includes(lengths[i] ?? 0)) };
}
