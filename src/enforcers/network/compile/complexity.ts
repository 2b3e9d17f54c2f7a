/**
 * Bounds the work before it is done. Only port-limited atoms multiply: each
 * port segment holds a list of its own with every block that covers it, so
 * thousands of overlapping ranges over thousands of blocks would fill the
 * memory long before their elements could be counted.
 */

import type { Atom } from "./atom.ts";
import { byProtocol } from "./ports.ts";
import { namedSenders, senderKinds } from "./sender.ts";
import { divideLimited, type Limited, sourceGroups } from "./sources.ts";
import { mostSuffixKinds, suffixesNamed, suffixKinds } from "./suffixes.ts";

/** Atoms that a search for overlaps goes through in the time that one cell takes to build. */
const comparedPerCell = 1000;

/** An upper bound of the address intervals that the port tables of these atoms begin with, or some number above `limit`. */
export function portCells(atoms: readonly Atom[], limit = Number.POSITIVE_INFINITY): number {
	const limited = divideLimited(atoms);
	let cells = cellsOf(limited.plain);
	if (limited.named.length === 0) return cells;
	const rough = cells + stretchWork(limited);
	if (rough > limit) return rough;
	for (const group of sourceGroups(limited)) {
		cells += cellsOf(group);
		if (cells > limit) return cells;
	}
	return cells;
}

/** How many blocks of IPv6 the lookups for kinds of addresses are made of at most: each kind has its own, of each kind of senders. */
export function suffixCells(atoms: readonly Atom[]): number {
	const named = suffixesNamed(atoms);
	if (named.length === 0) return 0;
	const kinds = suffixKinds(named, mostSuffixKinds)?.length ?? mostSuffixKinds;
	const senders = senderKinds(namedSenders(atoms.map(({ sender }) => sender)));
	const own = atoms.filter(({ family }) => family === 6);
	return kinds * senders * (own.length + portCells(own));
}

/** What it costs to list which atoms match over each range of source ports. */
function stretchWork({ named, plain }: Limited): number {
	const ranges = named.map((atom) => ({
		atom,
		first: atom.source?.first ?? 0,
		last: atom.source?.last ?? 65535,
	}));
	const listed = intervals(ranges.map(({ first, last }) => ({ first, last, weight: 1 })));
	const searched = ranges.filter(({ atom }) => atom.range !== null).length * 2 * plain.length;
	return listed + searched / comparedPerCell;
}

function cellsOf(atoms: readonly Atom[]): number {
	let cells = 0;
	for (const [, own] of byProtocol(atoms)) {
		const ranges = own.map(({ range, holes }) => ({
			first: range?.first ?? 0,
			last: range?.last ?? 65535,
			weight: 1 + holes.length,
		}));
		// Of n blocks, nested or apart, come at most 2n - 1 intervals.
		cells += intervals(ranges, (blocks) => 2 * blocks - 1);
	}
	return cells;
}

/** Sums up what the weights of the ranges that cover each stretch between two bounds come to. */
function intervals(
	ranges: readonly { readonly first: number; readonly last: number; readonly weight: number }[],
	cost: (weight: number) => number = (weight) => weight,
): number {
	const events = ranges.flatMap(({ first, last, weight }) => [
		{ at: first, weight },
		{ at: last + 1, weight: -weight },
	]);
	events.sort((a, b) => a.at - b.at);
	let sum = 0;
	let weight = 0;
	for (const [i, event] of events.entries()) {
		weight += event.weight;
		if (events[i + 1]?.at !== event.at && weight > 0) sum += cost(weight);
	}
	return sum;
}
