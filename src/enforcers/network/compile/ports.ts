/**
 * Tables of atoms that name destination ports. Per protocol the ports are cut where any atom
 * begins or ends; on each segment a sweep over the addresses gives the cells.
 */

import type { Protocol } from "../../../base/model.ts";
import { decide } from "../../../base/precedence.ts";
import { type Atom, atomOrder } from "./atom.ts";
import { type Axis, IntervalBuilder, type IntervalList, type Span, sweep, union } from "./interval.ts";
import { mergeSegments, type Segment, type Table } from "./table.ts";

/** What becomes of the atoms of one range of ports: sorted, disjoint intervals of addresses. */
export type Addresses = (spans: readonly Span<Atom>[]) => IntervalList;

/** The segments of the destination ports of some atoms of one protocol. An atom without ports has all of them. */
export function segmentsOf(atoms: readonly Atom[], axis: Axis, addresses: Addresses): Segment[] {
	const spans = atoms.map((atom) => ({
		from: atom.range?.first ?? 0,
		to: (atom.range?.last ?? 65535) + 1,
		item: axis.spans([atom]),
	}));
	const found: Segment[] = [];
	sweep(spans, (from, to, active) => {
		found.push({ first: from, last: to - 1, list: addresses(active.flatMap((span) => span.item)) });
	});
	return mergeSegments(found);
}

/** The atoms of each protocol, in the order that tables list them. */
export function byProtocol(atoms: readonly Atom[]): [Protocol, Atom[]][] {
	const named = new Map<Protocol, Atom[]>();
	for (const atom of atoms) {
		if (atom.protocol === null) continue;
		const own = named.get(atom.protocol) ?? [];
		named.set(atom.protocol, own);
		own.push(atom);
	}
	return [...named].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}

/** Builds the P table of what `addresses` makes of the atoms of each port segment. */
function segmented(atoms: readonly Atom[], axis: Axis, addresses: Addresses): Table {
	const segments = new Map<Protocol, readonly Segment[]>();
	for (const [protocol, own] of byProtocol(atoms)) {
		const merged = segmentsOf(own, axis, addresses);
		if (merged.length > 0) segments.set(protocol, merged);
	}
	return { layer: "P", segments };
}

/** The atom that decides where these, and no others, match. */
export function winnerOf(atoms: readonly Atom[]): Atom {
	const [only] = atoms;
	if (only !== undefined && atoms.length === 1) return only;
	const decision = decide(atoms, atomOrder);
	if (decision === null) throw new RangeError("a cell without atoms");
	return decision.winner;
}

/** The cells that one of `actions` wins among the port-limited atoms alone. */
export function portTable(atoms: readonly Atom[], axis: Axis, actions: ReadonlySet<string>): Table {
	return segmented(atoms, axis, (spans) => {
		const builder = new IntervalBuilder(axis);
		sweep(spans, (from, to, active) => {
			const { rule, rank } = winnerOf(active.map((span) => span.item));
			if (actions.has(rule.action)) builder.add(from, to, rank);
		});
		return builder.list;
	});
}

/** Every cell of these atoms, as a set without ranks. */
export function portSet(atoms: readonly Atom[], axis: Axis): Table {
	return segmented(atoms, axis, (spans) => union(spans, axis));
}
