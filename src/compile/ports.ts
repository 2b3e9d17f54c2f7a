/**
 * Tables of port-limited atoms. Per protocol the ports are cut where any atom
 * begins or ends; on each segment a sweep over the addresses gives the cells.
 */

import type { Transport } from "../policy/model.ts";
import { type Atom, atomOrder } from "./atom.ts";
import { type Axis, IntervalBuilder, type IntervalList, type Span, sweep } from "./interval.ts";
import { decide } from "./precedence.ts";
import { mergeSegments, type Segment, type Table } from "./table.ts";

/** Builds the P table of what `addresses` makes of the atoms of each port segment. */
function segmented(
	atoms: readonly Atom[],
	axis: Axis,
	addresses: (spans: readonly Span<Atom>[]) => IntervalList,
): Table {
	const byProtocol = new Map<Transport, Span<readonly Span<Atom>[]>[]>();
	for (const atom of atoms) {
		const { protocol, range } = atom;
		if (protocol === null || range === null) continue;
		const spans = byProtocol.get(protocol) ?? [];
		byProtocol.set(protocol, spans);
		spans.push({ from: range.first, to: range.last + 1, item: axis.spans([atom]) });
	}
	const segments = new Map<Transport, readonly Segment[]>();
	for (const protocol of [...byProtocol.keys()].sort()) {
		const found: Segment[] = [];
		sweep(byProtocol.get(protocol) ?? [], (from, to, active) => {
			found.push({ first: from, last: to - 1, list: addresses(active.flatMap((span) => span.item)) });
		});
		const merged = mergeSegments(found);
		if (merged.length > 0) segments.set(protocol, merged);
	}
	return { layer: "P", segments };
}

function winner(active: readonly Span<Atom>[]): Atom {
	const [only] = active;
	if (only !== undefined && active.length === 1) return only.item;
	const decision = decide(
		active.map((span) => span.item),
		atomOrder,
	);
	if (decision === null) throw new RangeError("a cell without atoms");
	return decision.winner;
}

/** The cells that one of `actions` wins among the port-limited atoms alone. */
export function portTable(atoms: readonly Atom[], axis: Axis, actions: ReadonlySet<string>): Table {
	return segmented(atoms, axis, (spans) => {
		const builder = new IntervalBuilder(axis);
		sweep(spans, (from, to, active) => {
			const { rule, rank } = winner(active);
			if (actions.has(rule.action)) builder.add(from, to, rank);
		});
		return builder.list;
	});
}

/** Every cell of these atoms, as a set without ranks. */
export function portSet(atoms: readonly Atom[], axis: Axis): Table {
	return segmented(atoms, axis, (spans) => {
		const builder = new IntervalBuilder(axis);
		sweep(spans, (from, to) => builder.add(from, to, -1));
		return builder.list;
	});
}
