/** The intervals of a set of one part, as the kernel keeps them: by where each begins and where it ends. */

import { compareBytes, successor } from "./direct-keys.ts";
import type { SetContent } from "./direct-sets.ts";

/** An interval as a tree keeps it. */
export interface TreeInterval {
	readonly first: Uint8Array;
	/** The key behind its last one; null where it goes on to the last key of all. */
	readonly end: Uint8Array | null;
	/** Position in `keys`; -1 for what begins the tree where no interval does. */
	readonly place: number;
	/** Whether that it has no end is told. */
	readonly unbounded: boolean;
}

/** In rising order. An interval is made an object when somebody asks for it, as there may be hundreds of thousands. */
export class Tree {
	/** Intervals, and what begins the tree. */
	readonly count: number;
	readonly #content: SetContent;
	/** 1 where no interval begins at the first key of all: then the tree begins with what none holds. */
	readonly #lead: number;

	constructor(content: SetContent) {
		const { order, keys } = content;
		const leads = order.length > 0 && keys.first(order[0] ?? 0).some((byte) => byte !== 0);
		this.#content = content;
		this.#lead = leads ? 1 : 0;
		this.count = order.length + this.#lead;
	}

	/** Position in `keys`; -1 for what begins the tree where no interval does. */
	place(at: number): number {
		return at < this.#lead ? -1 : (this.#content.order[at - this.#lead] ?? -1);
	}

	interval(at: number): TreeInterval {
		const { keys, type } = this.#content;
		const place = this.place(at);
		if (place < 0) return { first: new Uint8Array(type.length), end: null, place, unbounded: false };
		const end = successor(keys.last(place));
		return { first: keys.first(place), end, place, unbounded: end === null };
	}

	/** Compares where an interval begins with where one of another tree does. Both of one type. */
	compareFirst(at: number, other: Tree, otherAt: number): number {
		const [one, two] = [this.place(at), other.place(otherAt)];
		const { keys } = this.#content;
		if (one >= 0 && two >= 0) return keys.compareFirstOf(one, other.#content.keys, two);
		return compareBytes(this.interval(at).first, other.interval(otherAt).first);
	}

	/** Whether two intervals, neither of which is what begins a tree, end alike. */
	sameEnd(place: number, other: Tree, otherPlace: number): boolean {
		return this.#content.keys.compareLastOf(place, other.#content.keys, otherPlace) === 0;
	}

	/** The first that begins at a key or behind it; `count` where none does. Binary search. */
	find(key: Uint8Array): number {
		let low = 0;
		let high = this.count;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (compareBytes(this.interval(middle).first, key) < 0) low = middle + 1;
			else high = middle;
		}
		return low;
	}
}
