/**
 * From the counts that the kernel holds to what is new since the last look. Counts only grow as long as an element
 * lives; one that is missing is missing from a dump, or has gone, and then its next count is all new. Pure.
 */

import { flowWords } from "./flow-words.ts";
import { KeyTable } from "./key-table.ts";

/** Two looks at one element tell its last packet's time this exactly, in milliseconds. */
const sameTimeMs = 1500;

/** What one look says about an element. */
export interface Look {
	/** Packets since the element was made. */
	readonly count: number;
	/** Milliseconds on a clock that only goes forwards. */
	readonly lastPacket: number;
	readonly forgottenAt: number;
}

/** Elements, in columns. */
class Elements {
	readonly keys: KeyTable;
	readonly counts: number[] = [];
	readonly lasts: number[] = [];
	readonly ends: number[] = [];
	/** New flows that nobody has judged yet. */
	readonly waiting: number[] = [];
	readonly verdicts: number[] = [];
	/** The ruleset that a verdict is of; 0 for none. */
	readonly generations: number[] = [];

	constructor(seed: number) {
		this.keys = new KeyTable(flowWords, seed);
	}
}

export class Tracker {
	readonly #seed: number;
	readonly #key = new Uint32Array(flowWords);
	#before: Elements;
	#now: Elements;

	constructor(seed: number) {
		this.#seed = seed;
		this.#before = new Elements(seed);
		this.#now = new Elements(seed);
	}

	/** Elements that are known. */
	get size(): number {
		return this.#now.keys.size;
	}

	/** Begins a look at all elements. */
	begin(): void {
		this.#before = this.#now;
		this.#now = new Elements(this.#seed);
	}

	/**
	 * Takes one element; the second time within a look it only counts what came since.
	 * @param counted of an element that was never seen, what was counted by an earlier process.
	 */
	take(key: Uint32Array, look: Look, counted: () => number): void {
		const { count, lastPacket, forgottenAt } = look;
		const now = this.#now;
		const fresh = now.keys.size;
		const row = now.keys.add(key);
		if (row === fresh) this.#carry(key, row, () => ({ count: counted(), last: lastPacket }));
		const before = now.counts[row] ?? 0;
		const again = count === before && lastPacket - (now.lasts[row] ?? 0) > sameTimeMs;
		const grown = count < before || again ? count : count - before;
		now.counts[row] = count;
		now.waiting[row] = (now.waiting[row] ?? 0) + grown;
		now.lasts[row] = Math.max(lastPacket, now.lasts[row] ?? lastPacket);
		now.ends[row] = forgottenAt;
	}

	/**
	 * Ends a look. What was not met in it stays known until the kernel must have forgotten it, as a dump may miss it.
	 * @param time on the same clock. @returns new flows that nobody judged and that are forgotten now.
	 */
	end(time: number): number {
		const { keys, ends, waiting } = this.#before;
		let lost = 0;
		for (let row = 0; row < keys.size; row++) {
			keys.copy(row, this.#key);
			if (this.#now.keys.find(this.#key) >= 0) continue;
			if ((ends[row] ?? 0) <= time) lost += waiting[row] ?? 0;
			else this.#carry(this.#key, this.#now.keys.add(this.#key), () => ({ count: 0, last: 0 }));
		}
		this.#before = new Elements(this.#seed);
		return lost;
	}

	/** Takes over what the look before knew; `begin` is what an element begins with that it did not know. */
	#carry(
		key: Uint32Array,
		row: number,
		begin: () => { readonly count: number; readonly last: number },
	): void {
		const old = this.#before;
		const now = this.#now;
		const known = old.keys.find(key);
		const first = known < 0 ? begin() : null;
		now.counts[row] = first?.count ?? old.counts[known] ?? 0;
		now.lasts[row] = first?.last ?? old.lasts[known] ?? 0;
		now.ends[row] = old.ends[known] ?? 0;
		now.waiting[row] = old.waiting[known] ?? 0;
		now.verdicts[row] = old.verdicts[known] ?? 0;
		now.generations[row] = old.generations[known] ?? 0;
	}

	/**
	 * Settles what waits and was judged: `judged` gets its key, verdict and number. The keys of the rest, up to `most`,
	 * go to `open`, with their rows.
	 */
	settle(
		generation: number,
		most: number,
		judged: (key: Uint32Array, verdict: number, count: number, lastPacket: number) => void,
		open: (key: Uint32Array, row: number) => void,
	): void {
		const { keys, waiting, verdicts, generations, lasts } = this.#now;
		let asked = 0;
		for (let row = 0; row < keys.size; row++) {
			const count = waiting[row] ?? 0;
			if (count === 0) continue;
			keys.copy(row, this.#key);
			if (generations[row] === generation) {
				waiting[row] = 0;
				judged(this.#key, verdicts[row] ?? 0, count, lasts[row] ?? 0);
			} else if (asked < most) {
				asked += 1;
				open(this.#key, row);
			}
		}
	}

	/** What the policies say about an element, by the row that `settle` gave. */
	decide(row: number, generation: number, verdict: number): void {
		this.#now.verdicts[row] = verdict;
		this.#now.generations[row] = generation;
	}
}
