/**
 * What becomes of a set when some of its elements come and go: the kernel is told of these alone. libnftables reads the
 * whole set before it changes an element of it, which takes minutes for a hundred thousand.
 */

import { compareBytes } from "./direct-keys.ts";
import { isTree, readSet, type SetContent } from "./direct-sets.ts";
import { Tree, type TreeInterval } from "./direct-tree.ts";
import { elementCount, type NftMap, type NftSet } from "./objects.ts";

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
 * says; also where more than `most` intervals come and go. What is another interval goes whole before anything comes: the
 * kernel takes one only where there is none.
 */
export function elementChange(
	{ name, before, after }: SetChange,
	most = Number.POSITIVE_INFINITY,
): ElementChange | null {
	if (Math.abs(elementCount(before) - elementCount(after)) > most) return null;
	const [was, is] = [readSet(before), readSet(after)];
	if (was === null || is === null || !isTree(was) || !isTree(is) || was.type.id !== is.type.id) return null;
	const [old, fresh] = [new Tree(was), new Tree(is)];
	const alike = sameLeads(was, is);
	const same = (i: number, j: number) => {
		const [a, b] = [old.place(i), fresh.place(j)];
		if (a < 0 || b < 0) return a === b;
		return old.sameEnd(a, fresh, b) && alike(a, b);
	};
	const removed: TreeInterval[] = [];
	const added: TreeInterval[] = [];
	for (let i = 0, j = 0; i < old.count || j < fresh.count; ) {
		const order = i === old.count ? 1 : j === fresh.count ? -1 : old.compareFirst(i, fresh, j);
		if (order !== 0 || !same(i, j)) {
			if (order <= 0) removed.push(old.interval(i));
			if (order >= 0) added.push(fresh.interval(j));
			if (removed.length + added.length > most) return null;
		}
		if (order <= 0) i += 1;
		if (order >= 0) j += 1;
	}
	if (disturbs(added, old, (a, b) => alike(b, a)) || disturbs(removed, fresh, alike)) return null;
	return { name, after: is, removed, added };
}

/** Compares what the elements of two sets lead to, by their positions in `keys`. */
type Alike = (one: number, other: number) => boolean;

/**
 * Whether some of these intervals have addresses in common with others, or begin where one ends that leads elsewhere.
 * Until a transaction is through, what comes lies in the tree beside what is in force, and what goes lies there a moment
 * longer. The kernel looks for the nearest beginning: before Linux 6.17 also among those that are not in force, in which
 * case it finds nothing. Of two that begin, or end and begin, at one address, every kernel may miss the one in force.
 */
function disturbs(changed: readonly TreeInterval[], others: Tree, alike: Alike): boolean {
	return changed.some((one) => {
		if (one.place < 0) return false;
		// Others are apart, so of those that begin before it the last one alone can reach it.
		for (let at = Math.max(others.find(one.first) - 1, 0); at < others.count; at++) {
			const other = others.interval(at);
			if (one.end !== null && compareBytes(other.first, one.end) >= 0) break;
			if (other.place < 0) continue;
			const apart = other.end === null ? 1 : compareBytes(other.end, one.first);
			if (apart > 0 || (apart === 0 && !alike(one.place, other.place))) return true;
		}
		return false;
	});
}

/** Compares what an interval of one set and one of the other lead to. */
function sameLeads(was: SetContent, is: SetContent): Alike {
	const [left, right] = [leadsOf(was), leadsOf(is)];
	return (a, b) => left(a) === right(b);
}

/** What an element leads to, as a text that is equal exactly where that is. */
function leadsOf({ object }: SetContent): (place: number) => string {
	if (object.kind === "set") return () => "";
	const texts = object.values.map((value) => JSON.stringify(value));
	return (place) => texts[object.leads[place] ?? -1] ?? "";
}
