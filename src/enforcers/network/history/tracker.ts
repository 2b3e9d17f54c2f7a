/**
 * From the counts that the kernel holds to what is new since the last look. Counts only grow as long as an element
 * lives; one that is missing is missing from a dump, or has gone, and then its next count is all new. Pure.
 */

import { flowWords } from "./flow-words.ts";
import { KeyTable, resized } from "./key-table.ts";

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

/** Elements, in columns, each as long as there are keys' places. */
class Elements {
	readonly keys: KeyTable;
	counts = new Float64Array(0);
	lasts = new Float64Array(0);
	ends = new Float64Array(0);
	/** New flows that nobody has judged yet. */
	waiting = new Float64Array(0);
	verdicts = new Int32Array(0);
	/** The ruleset that a verdict is of; 0 for none. */
	generations = new Uint32Array(0);
	/** The look in which it was met. */
	looks = new Uint32Array(0);

	constructor(seed: number) {
		this.keys = new KeyTable(flowWords, seed);
	}

	/** Makes columns as long as there are keys' places. */
	fit(): void {
		const { capacity } = this.keys;
		if (capacity === this.counts.length) return;
		this.counts = resized(this.counts, capacity);
		this.lasts = resized(this.lasts, capacity);
		this.ends = resized(this.ends, capacity);
		this.waiting = resized(this.waiting, capacity);
		this.verdicts = resized(this.verdicts, capacity);
		this.generations = resized(this.generations, capacity);
		this.looks = resized(this.looks, capacity);
	}

	move(from: number, to: number): void {
		if (from === to) return;
		const columns = [this.counts, this.lasts, this.ends, this.waiting];
		for (const column of columns) column[to] = column[from] ?? 0;
		this.verdicts[to] = this.verdicts[from] ?? 0;
		this.generations[to] = this.generations[from] ?? 0;
		this.looks[to] = this.looks[from] ?? 0;
	}
}

/** One table for all looks: one a look was garbage of many megabytes every ten seconds. */
export class Tracker {
	readonly #key = new Uint32Array(flowWords);
	readonly #elements: Elements;
	#look = 0;

	constructor(seed: number) {
		this.#elements = new Elements(seed);
	}

	/** Elements that are known. */
	get size(): number {
		return this.#elements.keys.size;
	}

	/** Begins a look at all elements. */
	begin(): void {
		this.#look = (this.#look + 1) >>> 0;
	}

	/**
	 * Takes one element; the second time within a look it only counts what came since.
	 * @param counted of an element that was never seen, what was counted by an earlier process.
	 */
	take(key: Uint32Array, look: Look, counted: () => number): void {
		const { count, lastPacket, forgottenAt } = look;
		const now = this.#elements;
		const fresh = now.keys.size;
		const row = now.keys.add(key);
		if (row === fresh) this.#begin(row, counted(), lastPacket);
		const before = now.counts[row] ?? 0;
		const again = count === before && lastPacket - (now.lasts[row] ?? 0) > sameTimeMs;
		const grown = count < before || again ? count : count - before;
		now.counts[row] = count;
		now.waiting[row] = (now.waiting[row] ?? 0) + grown;
		now.lasts[row] = Math.max(lastPacket, now.lasts[row] ?? lastPacket);
		now.ends[row] = forgottenAt;
		now.looks[row] = this.#look;
	}

	/**
	 * Ends a look. What was not met in it stays known until the kernel must have forgotten it, as a dump may miss it.
	 * @param time on the same clock. @returns new flows that nobody judged and that are forgotten now.
	 */
	end(time: number): number {
		const { keys, ends, waiting, looks } = this.#elements;
		const stays = (row: number) => looks[row] === this.#look || (ends[row] ?? 0) > time;
		let lost = 0;
		let gone = false;
		for (let row = 0; row < keys.size; row++) {
			if (stays(row)) continue;
			gone = true;
			lost += waiting[row] ?? 0;
		}
		if (!gone) return lost;
		keys.rebuild(
			(_, row) => stays(row),
			(from, to) => this.#elements.move(from, to),
		);
		this.#elements.fit();
		return lost;
	}

	/** The row may have been another element's, which is forgotten. */
	#begin(row: number, count: number, last: number): void {
		const now = this.#elements;
		now.fit();
		now.counts[row] = count;
		now.lasts[row] = last;
		now.waiting[row] = 0;
		now.verdicts[row] = 0;
		now.generations[row] = 0;
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
		const { keys, waiting, verdicts, generations, lasts } = this.#elements;
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
		this.#elements.verdicts[row] = verdict;
		this.#elements.generations[row] = generation;
	}
}
