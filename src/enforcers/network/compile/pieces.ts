/** Where each atom of a stream decides, and which part of the stream that is. */

import type { Action } from "../../../base/model.ts";
import { compareStrictness } from "../../../base/precedence.ts";
import { type Atom, decidesBefore } from "./atom.ts";
import { type Axis, type Span, type Stretch, sweep } from "./interval.ts";

/** One stretch of a stream: the atom that decides there, and the part of the stream that it belongs to. */
export interface Piece extends Stretch {
	readonly atom: Atom;
	readonly part: Part;
}

/** Those of a stream, by the action at whose level they decide. */
export type Pieces = ReadonlyMap<Action, readonly Piece[]>;

/** The hard part or a tier of the streams of one layer and scope, at the level of one action. */
export interface Part {
	readonly key: string;
	readonly layer: "T" | "W";
	/** All that carves atoms of this part, of any interface that the stream's holds. Empty for the hard part. */
	readonly carvers: Atom[];
}

/**
 * Where each member decides at the level of its action, if nothing carves it.
 * Stricter members are left out of sight: a packet that gets to this level has
 * met them before, and what carved them carves all that is around them too. So
 * narrow Blocks do not cut a broad Allow to pieces.
 * @param members of one stream, in rising order
 */
export function longestPrefix(members: readonly Atom[], axis: Axis, part: (atom: Atom) => Part): Pieces {
	const levels = new Set<Action>();
	for (const { rule } of members) levels.add(rule.action);
	const apart = levels.size === 1 && areApart(members);
	const ofLevel = (level: Action) => {
		const pieces: { from: number; to: number; atom: Atom; part: Part }[] = [];
		if (apart) {
			axis.eachSpan(members, (from, to, atom) => pieces.push({ from, to, atom, part: part(atom) }));
			return pieces;
		}
		const own = members.filter((atom) => compareStrictness(atom.rule.action, level) <= 0);
		sweep(axis.spans(own), (from, to, active) => {
			const atom = longest(active);
			if (atom.rule.action !== level) return;
			const previous = pieces.at(-1);
			if (previous?.atom === atom && previous.to === from) previous.to = to;
			else pieces.push({ from, to, atom, part: part(atom) });
		});
		return pieces;
	};
	return new Map([...levels].map((level) => [level, ofLevel(level)]));
}

/** Whether atoms, in rising order, have no address in common, as those of most lists. */
function areApart(atoms: readonly Atom[]): boolean {
	return atoms.every((atom, i) => (atoms[i - 1]?.last ?? -1) < atom.first);
}

function longest(active: readonly Span<Atom>[]): Atom {
	let best: Atom | undefined;
	for (const { item: atom } of active) {
		if (best === undefined || (atom.length - best.length || Number(decidesBefore(atom, best))) > 0)
			best = atom;
	}
	if (best === undefined) throw new RangeError("a stretch without atoms");
	return best;
}
