/**
 * What becomes of a set when some of its elements come and go: the kernel is told of these alone. libnftables reads the
 * whole set before it changes an element of it, which takes minutes for a hundred thousand.
 */

import { type TreeInterval, treeIntervals } from "./direct-elements.ts";
import { compareBytes } from "./direct-keys.ts";
import { isTree, readSet, type SetContent } from "./direct-sets.ts";
import type { NftMap, NftSet } from "./objects.ts";

/** A set or map that is in the kernel under a name, as it is there and as it is to be. Values name chains of the kernel. */
export interface SetChange {
	readonly name: string;
	readonly before: NftSet | NftMap;
	readonly after: NftSet | NftMap;
}

/** Intervals that go and come; the latter are those of `after`. */
export interface ElementChange {
	readonly name: string;
	readonly after: SetContent;
	readonly removed: readonly TreeInterval[];
	readonly added: readonly TreeInterval[];
}

/**
 * Null where the set is no tree of intervals, or is not what it seems, and where a packet could be judged as neither list
 * says. What is another interval goes whole before anything comes: the kernel takes one only where there is none.
 */
export function elementChange({ name, before, after }: SetChange): ElementChange | null {
	const [was, is] = [readSet(before), readSet(after)];
	if (was === null || is === null || !isTree(was) || !isTree(is) || was.type.id !== is.type.id) return null;
	const [old, fresh] = [treeIntervals(was), treeIntervals(is)];
	const alike = sameLeads(was, is);
	const same = sameIntervals(alike);
	const removed: TreeInterval[] = [];
	const added: TreeInterval[] = [];
	for (let i = 0, j = 0; i < old.length || j < fresh.length; ) {
		const [a, b] = [old[i], fresh[j]];
		const order = a === undefined ? 1 : b === undefined ? -1 : compareBytes(a.first, b.first);
		if (a !== undefined && order <= 0) i += 1;
		if (b !== undefined && order >= 0) j += 1;
		if (a !== undefined && b !== undefined && order === 0 && same(a, b)) continue;
		if (a !== undefined && order <= 0) removed.push(a);
		if (b !== undefined && order >= 0) added.push(b);
	}
	if (disturbs(added, old, (a, b) => alike(b, a)) || disturbs(removed, fresh, alike)) return null;
	return { name, after: is, removed, added };
}

type Compare = (a: TreeInterval, b: TreeInterval) => boolean;

/**
 * Whether some of these intervals have addresses in common with others, or begin where one ends that leads elsewhere.
 * Until a transaction is through, what comes lies in the tree beside what is in force, and what goes lies there a moment
 * longer. The kernel looks for the nearest beginning: before Linux 6.17 also among those that are not in force, in which
 * case it finds nothing. Of two that begin, or end and begin, at one address, every kernel may miss the one in force.
 */
function disturbs(
	changed: readonly TreeInterval[],
	others: readonly TreeInterval[],
	alike: Compare,
): boolean {
	let at = 0;
	return changed.some((one) => {
		if (one.place < 0) return false;
		for (let other = others[at]; other !== undefined; other = others[++at]) {
			if (other.end === null && other.place >= 0) break;
			if (other.end !== null && compareBytes(other.end, one.first) >= 0) break;
		}
		for (let i = at; i < others.length; i++) {
			const other = others[i];
			if (other === undefined || (one.end !== null && compareBytes(other.first, one.end) >= 0)) break;
			if (other.place < 0) continue;
			const apart = other.end === null ? 1 : compareBytes(other.end, one.first);
			if (apart > 0 || (apart === 0 && !alike(one, other))) return true;
		}
		return false;
	});
}

function sameIntervals(alike: Compare): Compare {
	return (a, b) => {
		if (a.place < 0 || b.place < 0) return a.place === b.place;
		if (a.unbounded !== b.unbounded || (a.end === null) !== (b.end === null)) return false;
		if (a.end !== null && b.end !== null && compareBytes(a.end, b.end) !== 0) return false;
		return alike(a, b);
	};
}

/** Compares what an interval of one set and one of the other lead to. */
function sameLeads(was: SetContent, is: SetContent): Compare {
	const [left, right] = [leadsOf(was), leadsOf(is)];
	return (a, b) => left(a.place) === right(b.place);
}

/** What an element leads to, as a text that is equal exactly where that is. */
function leadsOf({ object }: SetContent): (place: number) => string {
	if (object.kind === "set") return () => "";
	const texts = object.values.map((value) => JSON.stringify(value));
	return (place) => texts[object.leads[place] ?? -1] ?? "";
}
