/**
 * Bounds the work before it is done. Only port-limited atoms multiply: each
 * port segment holds a list of its own with every block that covers it, so
 * thousands of overlapping ranges over thousands of blocks would fill the
 * memory long before their elements could be counted.
 */

import type { Transport } from "../policy/model.ts";
import type { Atom } from "./atom.ts";

/** An upper bound of the address intervals that the port tables of these atoms begin with. */
export function portCells(atoms: readonly Atom[]): number {
	const byProtocol = new Map<Transport, { at: number; blocks: number }[]>();
	for (const { protocol, range, holes } of atoms) {
		if (protocol === null || range === null) continue;
		const events = byProtocol.get(protocol) ?? [];
		byProtocol.set(protocol, events);
		const blocks = 1 + holes.length;
		events.push({ at: range.first, blocks }, { at: range.last + 1, blocks: -blocks });
	}
	let cells = 0;
	for (const events of byProtocol.values()) {
		events.sort((a, b) => a.at - b.at);
		let blocks = 0;
		for (const [i, event] of events.entries()) {
			blocks += event.blocks;
			// Of n blocks, nested or apart, come at most 2n - 1 intervals.
			if (events[i + 1]?.at !== event.at && blocks > 0) cells += 2 * blocks - 1;
		}
	}
	return cells;
}
