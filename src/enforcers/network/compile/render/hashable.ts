/**
 * Which cells of a table a hash table can hold. Interval sets of concatenations
 * pay for every element at every lookup (nft_set_pipapo.c reads bitmaps with a
 * bit for each); a hash lookup of the address under a netmask costs the same
 * for ten and for a million. So blocks of the few lengths that most cells of a
 * large table have go into hash tables, one a length (tuple space search).
 */

import type { Address } from "../atom.ts";
import { blockLength } from "./address-text.ts";

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

/** Cells that are blocks of one length, 1..128, and are all accepted silently, or all not. */
export interface BlockCells {
	readonly length: number;
	readonly silent: boolean;
	readonly cells: readonly Cell[];
}

export interface Hashable {
	readonly blocks: readonly BlockCells[];
	/** Everything else. */
	readonly rest: readonly Cell[];
}

/** Below this many elements an interval set costs about what a hash table does. */
export const hashFrom = 512;

/** Every hash table is a lookup of its own; one that holds less of the whole is not worth it. */
const leastShare = 8;
const mostLookups = 3;

/**
 * Divides the cells of one table.
 *
 * @param fewest how many cells make a hash table worthwhile, 1 or more
 * @param silent whether the rule of a rank accepts without a word
 */
export function hashable(
	cells: readonly Cell[],
	fewest: number,
	silent: (rank: number) => boolean,
): Hashable {
	if (cells.length < fewest) return { blocks: [], rest: cells };
	const rest: Cell[] = [];
	const groups = new Map<string, { length: number; silent: boolean; cells: Cell[] }>();
	for (const cell of cells) {
		const length = cell.exact ? (blockLength(cell.first, cell.last) ?? 0) : 0;
		const quiet = silent(cell.rank);
		const key = `${length} ${quiet}`;
		const group = groups.get(key) ?? { length, silent: quiet, cells: [] };
		groups.set(key, group);
		group.cells.push(cell);
	}
	const sorted = [...groups.values()].sort((a, b) => b.cells.length - a.cells.length);
	const blocks = sorted
		.filter(
			(group) =>
				group.length > 0 && group.cells.length >= fewest && group.cells.length * leastShare >= cells.length,
		)
		.slice(0, mostLookups);
	for (const group of sorted) if (!blocks.includes(group)) rest.push(...group.cells);
	return { blocks, rest };
}
