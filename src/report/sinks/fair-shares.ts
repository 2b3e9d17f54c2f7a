/**
 * Which of many owners gives something up when a store is full: the one that has
 * most. So an owner with few things never loses any to one with many: each has a
 * share of the store reserved for it, and what others leave is there for all. Pure.
 */

/** Keys of one count that are compared by weight. */
const mostCompared = 64;

/** Counts per key, and the key with the highest count, each step in constant time. */
export class LargestFirst<Key> {
	readonly #counts = new Map<Key, number>();
	/** Keys by their count. */
	readonly #byCount = new Map<number, Set<Key>>();
	#most = 0;

	/** The key with the highest count, of several one of the heaviest that had it longest; undefined when there is none. */
	largest(weight: (key: Key) => number): Key | undefined {
		let found: Key | undefined;
		let most = Number.NEGATIVE_INFINITY;
		for (const key of this.#byCount.get(this.#most)?.values().take(mostCompared) ?? []) {
			const own = weight(key);
			if (own <= most) continue;
			most = own;
			found = key;
		}
		return found;
	}

	add(key: Key): void {
		const count = (this.#counts.get(key) ?? 0) + 1;
		this.#move(key, count - 1, count);
		this.#most = Math.max(this.#most, count);
	}

	remove(key: Key): void {
		const count = this.#counts.get(key);
		if (count === undefined) return;
		this.#move(key, count, count - 1);
		if (!this.#byCount.has(this.#most)) this.#most = Math.max(0, this.#most - 1);
	}

	#move(key: Key, from: number, to: number): void {
		const former = this.#byCount.get(from);
		former?.delete(key);
		if (former?.size === 0) this.#byCount.delete(from);
		if (to === 0) {
			this.#counts.delete(key);
			return;
		}
		this.#counts.set(key, to);
		const set = this.#byCount.get(to);
		if (set === undefined) this.#byCount.set(to, new Set([key]));
		else set.add(key);
	}
}

/** Whose a thing is: an owner, and which part of that owner, such as a policy and one of its rules. */
export interface Owned {
	readonly owner: string;
	readonly part: string;
}

/** Times the capacity, in additions. */
const agedAfter = 4;

interface Owner {
	readonly parts: LargestFirst<string>;
	/** Numbers of the part's things, oldest first. */
	readonly queues: Map<string, Set<number>>;
}

/** A store of bounded size. When it is full, the largest part of the largest owner gives up its oldest thing. */
export class FairStore<Thing extends Owned> {
	readonly #capacity: number;
	/** By number, oldest first. */
	readonly #things = new Map<number, Thing>();
	readonly #owners = new Map<string, Owner>();
	readonly #sizes = new LargestFirst<string>();
	/** Things that each owner has added lately, also those that are gone: of equals the busiest gives up first. */
	readonly #added = new Map<string, number>();
	#next = 0;

	/** @param capacity things; 0 keeps nothing. */
	constructor(capacity: number) {
		this.#capacity = capacity;
	}

	get size(): number {
		return this.#things.size;
	}

	add(thing: Thing): void {
		if (this.#capacity <= 0) return;
		const { owner, part } = thing;
		const number = this.#next++;
		const known = this.#owners.get(owner) ?? { parts: new LargestFirst<string>(), queues: new Map() };
		this.#owners.set(owner, known);
		const queue = known.queues.get(part) ?? new Set<number>();
		known.queues.set(part, queue);
		queue.add(number);
		known.parts.add(part);
		this.#sizes.add(owner);
		this.#added.set(owner, (this.#added.get(owner) ?? 0) + 1);
		if (number % (agedAfter * this.#capacity) === 0) this.#age();
		this.#things.set(number, thing);
		if (this.#things.size > this.#capacity) this.#evict();
	}

	/** Oldest first. */
	values(): Thing[] {
		return [...this.#things.values()];
	}

	/** What was long ago counts for little, and who is silent for nothing. */
	#age(): void {
		for (const [owner, count] of this.#added) {
			if (count < 2) this.#added.delete(owner);
			else this.#added.set(owner, count / 2);
		}
	}

	#evict(): void {
		const owner = this.#sizes.largest((key) => this.#added.get(key) ?? 0);
		const known = owner === undefined ? undefined : this.#owners.get(owner);
		const part = known?.parts.largest(() => 0);
		if (owner === undefined || known === undefined || part === undefined) return;
		const queue = known.queues.get(part) ?? new Set<number>();
		for (const oldest of queue) {
			queue.delete(oldest);
			this.#things.delete(oldest);
			break;
		}
		if (queue.size === 0) known.queues.delete(part);
		known.parts.remove(part);
		this.#sizes.remove(owner);
		if (known.queues.size === 0) this.#owners.delete(owner);
	}
}
