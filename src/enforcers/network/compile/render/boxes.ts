/** P tables as boxes (addresses × ports), for maps whose keys are concatenations. */

import type { Address } from "../atom.ts";
import type { Segment } from "../table.ts";

export interface Box {
	readonly first: Address;
	readonly last: Address;
	readonly rank: number;
	readonly firstPort: number;
	readonly lastPort: number;
}

/** Disjoint boxes of one protocol's segments; an interval that stays the same over neighbouring segments is one box. */
export function boxesOf(segments: readonly Segment[]): Box[] {
	const boxes: Box[] = [];
	type Open = { -readonly [Key in keyof Box]: Box[Key] };
	let open = new Map<string, Open>();
	let end = -1;
	for (const segment of segments) {
		const current = new Map<string, Open>();
		for (const [i, first] of segment.list.first.entries()) {
			const last = segment.list.last[i];
			const rank = segment.list.rank[i];
			if (last === undefined || rank === undefined) throw new RangeError("interval list");
			const key = `${first}-${last}=${rank}`;
			let box = end + 1 === segment.first ? open.get(key) : undefined;
			if (box === undefined) {
				box = { first, last, rank, firstPort: segment.first, lastPort: segment.last };
				boxes.push(box);
			}
			box.lastPort = segment.last;
			current.set(key, box);
		}
		open = current;
		end = segment.last;
	}
	return boxes;
}
