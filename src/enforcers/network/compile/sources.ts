/**
 * Tables of atoms that name what the transport header begins with: a source
 * port, or a type of ICMP. Such an atom is never carved by one that does not,
 * so at each level its table comes first. It can carve one that names
 * destination ports only, if it names these too: those cells are looked at
 * once more, with all that match there.
 */

import type { Action, Protocol } from "../../../base/model.ts";
import { compareStrictness } from "../../../base/precedence.ts";
import type { Atom } from "./atom.ts";
import { type Axis, IntervalBuilder, sweep, union } from "./interval.ts";
import { type Addresses, byProtocol, segmentsOf, winnerOf } from "./ports.ts";
import { mergeSources, type SourceSegment, type Table } from "./table.ts";

/** The port-limited atoms of one interface group and family. */
export interface Limited {
	/** With a source port or an ICMP type. */
	readonly named: readonly Atom[];
	/** With destination ports alone. */
	readonly plain: readonly Atom[];
}

export function divideLimited(atoms: readonly Atom[]): Limited {
	const limited = atoms.filter((atom) => atom.layer === "P");
	const named = limited.filter((atom) => atom.source !== null);
	return { named, plain: named.length === 0 ? limited : limited.filter((atom) => atom.source === null) };
}

/** One range of source ports, and the atoms that have it. */
interface Stretch {
	readonly protocol: Protocol;
	readonly first: number;
	readonly last: number;
	readonly atoms: readonly Atom[];
}

/** The ranges of source ports over which the same atoms match, in rising order. */
function stretchesOf(named: readonly Atom[]): Stretch[] {
	const stretches: Stretch[] = [];
	for (const [protocol, own] of byProtocol(named)) {
		const spans = own.map((atom) => ({
			from: atom.source?.first ?? 0,
			to: (atom.source?.last ?? 65535) + 1,
			item: atom,
		}));
		sweep(spans, (from, to, active) => {
			stretches.push({ protocol, first: from, last: to - 1, atoms: active.map(({ item }) => item) });
		});
	}
	return stretches;
}

/** Those of `plain` that atoms of the stretch may carve, or that may decide in place of a carved one. */
function beside({ protocol, atoms }: Stretch, plain: readonly Atom[]): readonly Atom[] {
	const carvers = atoms.filter((atom) => atom.range !== null);
	if (carvers.length === 0 || plain.length === 0) return [];
	const first = Math.min(...carvers.map(({ range }) => range?.first ?? 0));
	const last = Math.max(...carvers.map(({ range }) => range?.last ?? 65535));
	const near = plain.filter(
		({ protocol: other, range }) =>
			other === protocol && range !== null && range.first <= last && range.last >= first,
	);
	const milder = (a: Atom, b: Atom) => compareStrictness(a.rule.action, b.rule.action) < 0;
	return carvers.some((carver) => near.some((atom) => milder(carver, atom))) ? near : [];
}

/** The atoms that are looked at together over each range of source ports, for bounding the work. */
export function* sourceGroups({ named, plain }: Limited): Generator<readonly Atom[]> {
	for (const stretch of stretchesOf(named)) yield [...stretch.atoms, ...beside(stretch, plain)];
}

function tableOf(
	stretches: readonly Stretch[],
	segments: (stretch: Stretch) => SourceSegment["ports"],
): Table {
	const found = new Map<Protocol, SourceSegment[]>();
	for (const stretch of stretches) {
		const own = found.get(stretch.protocol) ?? [];
		found.set(stretch.protocol, own);
		own.push({ first: stretch.first, last: stretch.last, ports: segments(stretch) });
	}
	const sources = new Map<Protocol, readonly SourceSegment[]>();
	for (const [protocol, own] of found) {
		const merged = mergeSources(own);
		if (merged.length > 0) sources.set(protocol, merged);
	}
	return { layer: "S", sources };
}

/** What decides a cell: among those that name a source, among those that do not, and among all. */
interface Winners {
	readonly named: Atom;
	readonly plain: Atom | null;
	readonly all: Atom;
}

function winnersOf(atoms: readonly Atom[]): Winners | null {
	const named = atoms.filter((atom) => atom.source !== null);
	if (named.length === 0) return null;
	if (named.length === atoms.length) {
		const winner = winnerOf(named);
		return { named: winner, plain: null, all: winner };
	}
	const plain = winnerOf(atoms.filter((atom) => atom.source === null));
	return { named: winnerOf(named), plain, all: winnerOf(atoms) };
}

/** Builds a table whose cells have the rank that `rank` gives them; null for none. */
function cells({ named, plain }: Limited, axis: Axis, rank: (winners: Winners) => number | null): Table {
	const addresses: Addresses = (spans) => {
		const builder = new IntervalBuilder(axis);
		sweep(spans, (from, to, active) => {
			const winners = winnersOf(active.map(({ item }) => item));
			const found = winners === null ? null : rank(winners);
			if (found !== null) builder.add(from, to, found);
		});
		return builder.list;
	};
	return tableOf(stretchesOf(named), (stretch) =>
		segmentsOf([...stretch.atoms, ...beside(stretch, plain)], axis, addresses),
	);
}

/**
 * What an action decides in the cells of atoms that name a source. Where a
 * stricter atom without one decides, its table is asked before, so such cells
 * are not cut out.
 */
export function sourceTable(limited: Limited, axis: Axis, action: Action): Table {
	return cells(limited, axis, ({ named, plain, all }) => {
		if (named.rule.action === action) return named.rank;
		// What would have decided is carved, and another one of its kind is not.
		return all.rule.action === action && all.source === null && all !== plain ? all.rank : null;
	});
}

/** Cells that atoms with a source carve out of what `actions` decide without them: something milder decides there. */
export function carvedCells(limited: Limited, axis: Axis, actions: ReadonlySet<Action>): Table {
	return cells(limited, axis, ({ plain, all }) => {
		if (plain === null || !actions.has(plain.rule.action)) return null;
		const milder = [...actions].every((action) => compareStrictness(all.rule.action, action) < 0);
		return milder ? -1 : null;
	});
}

/** Every cell of these atoms, as a set without ranks. */
export function sourceSet(named: readonly Atom[], axis: Axis): Table {
	return tableOf(stretchesOf(named), ({ atoms }) => segmentsOf(atoms, axis, (spans) => union(spans, axis)));
}
