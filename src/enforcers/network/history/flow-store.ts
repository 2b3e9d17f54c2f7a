/**
 * Flows that were seen, each once. Memory is bounded: where flows become too many, the rarest are merged into the blocks
 * that their addresses lie in, and where that is not enough, the rarest are forgotten and counted. Pure.
 */

import type { Action } from "../../../base/model.ts";
import {
	flowWords,
	interfaceOf,
	isSingle,
	mergeRemote,
	readWords,
	setInterface,
	setVerdict,
	verdictOf,
} from "./flow-words.ts";
import { KeyTable, resized } from "./key-table.ts";
import type { SeenFlow, SeenHistory } from "./seen-flow.ts";

export interface FlowVerdict {
	readonly action: Action;
	readonly policy: string | null;
}

const unknownVerdict: FlowVerdict = { action: "Allow", policy: null };

/** Names of interfaces and verdicts that are told apart: each has a number of 16 bits. */
const maxNames = 0xffff;

/** When there is no room, so much of it is made at once: making room looks at every flow. */
const freedShare = 8;
const mergedShare = 4;

/** What is kept of a flow beside its words. */
export interface Amount {
	/** 1 or more. */
	readonly count: number;
	/** Milliseconds since the epoch. */
	readonly first: number;
	readonly last: number;
}

/** Names with a number each. */
class Names {
	readonly list: string[] = [];
	readonly #numbers = new Map<string, number>();

	/** -1 where there is no room for another one. */
	add(name: string): number {
		const known = this.#numbers.get(name);
		if (known !== undefined) return known;
		if (this.list.length >= maxNames) return -1;
		this.#numbers.set(name, this.list.length);
		return this.list.push(name) - 1;
	}
}

/** The flows that are kept at a time. */
class Rows {
	readonly keys: KeyTable;
	counts = new Float64Array(0);
	firsts = new Float64Array(0);
	lasts = new Float64Array(0);

	constructor(seed: number) {
		this.keys = new KeyTable(flowWords, seed);
	}

	add(words: Uint32Array, { count, first, last }: Amount): void {
		const before = this.keys.size;
		const row = this.keys.add(words);
		if (row < before) {
			this.#addTo(row, count, first, last);
			return;
		}
		this.#fit();
		this.counts[row] = count;
		this.firsts[row] = first;
		this.lasts[row] = last;
	}

	/** @param stays whether a row stays, perhaps with other words, by which it may become a part of an earlier one */
	rebuild(stays: (words: Uint32Array, row: number) => boolean): void {
		this.keys.rebuild(stays, (from, to, isNew) => {
			const [count = 0, first = 0, last = 0] = [this.counts[from], this.firsts[from], this.lasts[from]];
			if (!isNew) {
				this.#addTo(to, count, first, last);
				return;
			}
			this.counts[to] = count;
			this.firsts[to] = first;
			this.lasts[to] = last;
		});
		this.#fit();
	}

	#addTo(row: number, count: number, first: number, last: number): void {
		this.counts[row] = (this.counts[row] ?? 0) + count;
		this.firsts[row] = Math.min(this.firsts[row] ?? first, first);
		this.lasts[row] = Math.max(this.lasts[row] ?? last, last);
	}

	#fit(): void {
		const { capacity } = this.keys;
		if (capacity === this.counts.length) return;
		this.counts = resized(this.counts, capacity);
		this.firsts = resized(this.firsts, capacity);
		this.lasts = resized(this.lasts, capacity);
	}

	amount(row: number): Amount {
		return { count: this.counts[row] ?? 0, first: this.firsts[row] ?? 0, last: this.lasts[row] ?? 0 };
	}

	/** The rarest first, of the same count the oldest. */
	byRarity(): Uint32Array {
		const rows = new Uint32Array(this.keys.size).map((_, row) => row);
		const { counts, lasts } = this;
		return rows.sort(
			(a, b) => (counts[a] ?? 0) - (counts[b] ?? 0) || (lasts[a] ?? 0) - (lasts[b] ?? 0) || a - b,
		);
	}
}

export interface StoreOptions {
	/** 1 or more. */
	readonly maxFlows: number;
	/** Any number that nobody can guess. */
	readonly seed: number;
	/** When watching began. */
	readonly since: number;
}

export class FlowStore {
	readonly #options: StoreOptions;
	readonly #words = new Uint32Array(flowWords);
	readonly #interfaces = new Names();
	readonly #verdicts: FlowVerdict[] = [];
	readonly #verdictNames = new Names();
	readonly #rows: Rows;
	#merged = 0;
	#lost = 0;
	#since: number;
	#changes = 0;

	constructor(options: StoreOptions) {
		this.#options = options;
		this.#since = options.since;
		this.#rows = new Rows(options.seed);
		this.#interfaces.add("");
	}

	get size(): number {
		return this.#rows.keys.size;
	}

	get merged(): number {
		return this.#merged;
	}

	get lost(): number {
		return this.#lost;
	}

	get since(): number {
		return this.#since;
	}

	/** Grows whenever anything is learnt. */
	get changes(): number {
		return this.#changes;
	}

	get interfaces(): readonly string[] {
		return this.#interfaces.list;
	}

	get verdicts(): readonly FlowVerdict[] {
		return this.#verdicts;
	}

	/** The number of an interface; that of "", which stands for any other, where there are too many. */
	interface(name: string): number {
		return Math.max(0, this.#interfaces.add(name));
	}

	/** The number of a verdict; -1 where there are too many. */
	verdict({ action, policy }: FlowVerdict): number {
		const number = this.#verdictNames.add(JSON.stringify([action, policy]));
		if (number === this.#verdicts.length) this.#verdicts.push({ action, policy });
		return number;
	}

	/** Adds new flows. True where none of them was known, or only as part of a block. @param words with numbers of this store. */
	add(words: Uint32Array, amount: Amount): boolean {
		this.#changes += 1;
		const isNew = this.#rows.keys.find(words) < 0;
		if (isNew && this.size >= this.#options.maxFlows) this.#makeRoom();
		this.#rows.add(words, amount);
		return isNew;
	}

	/** Counts flows of which nothing else is known. */
	lose(count: number): void {
		if (count <= 0) return;
		this.#changes += 1;
		this.#lost += count;
	}

	/** Takes over what another store held, as far as there is room for it. */
	take(other: FlowStore): void {
		const words = new Uint32Array(flowWords);
		for (let row = 0; row < other.size; row++) {
			const amount = other.read(row, words);
			const name = other.interfaces[interfaceOf(words)];
			const said = other.verdicts[verdictOf(words)];
			if (name === undefined || said === undefined) continue;
			setInterface(words, this.interface(name));
			setVerdict(words, this.verdict(said));
			this.add(words, amount);
		}
		this.#merged += other.merged;
		this.lose(other.lost);
		this.#since = Math.min(this.#since, other.since);
	}

	/** Begins with what a file says was merged and lost. */
	begin({ since, merged, lost }: Pick<SeenHistory, "since" | "merged" | "lost">): void {
		this.#since = since;
		this.#merged = merged;
		this.#lost = lost;
	}

	/** The words and the amount of a flow, 0..size-1. */
	read(row: number, words: Uint32Array): Amount {
		this.#rows.keys.copy(row, words);
		return this.#rows.amount(row);
	}

	/** When a flow was seen last, and what happened to it: what most questions choose by. @param now as for `flow` */
	brief(row: number, now: number): Pick<SeenFlow, "lastSeen" | "action"> {
		this.#rows.keys.copy(row, this.#words);
		const { action } = this.#verdicts[verdictOf(this.#words)] ?? unknownVerdict;
		return { lastSeen: Math.min(this.#rows.lasts[row] ?? 0, now), action };
	}

	/**
	 * A flow, 0..size-1. Nothing was seen later than now: where a clock says so, it was set back since.
	 * @param now milliseconds since the epoch.
	 */
	flow(row: number, now: number): Omit<SeenFlow, "isNew"> {
		const { count, first, last } = this.read(row, this.#words);
		const { action, policy } = this.#verdicts[verdictOf(this.#words)] ?? unknownVerdict;
		const lastSeen = Math.min(last, now);
		return {
			...readWords(this.#words),
			interface: this.#interfaces.list[interfaceOf(this.#words)] ?? "",
			action,
			policy,
			count,
			bytes: null,
			firstSeen: Math.min(first, lastSeen),
			lastSeen,
		};
	}

	/** The rarest flows become parts of blocks; where that is not enough, the rarest of all are forgotten. */
	#makeRoom(): void {
		const { maxFlows } = this.#options;
		const wanted = maxFlows - Math.ceil(maxFlows / freedShare);
		const most = Math.ceil(maxFlows / mergedShare);
		const victims = new Uint8Array(this.size);
		let merged = 0;
		for (const row of this.#rows.byRarity()) {
			if (merged >= most) break;
			this.#rows.keys.copy(row, this.#words);
			if (!isSingle(this.#words)) continue;
			victims[row] = 1;
			merged += 1;
		}
		this.#rows.rebuild((words, row) => {
			if (victims[row] === 1) mergeRemote(words);
			return true;
		});
		this.#merged += merged;
		if (this.size <= wanted) return;
		const forgotten = new Uint8Array(this.size);
		for (const row of this.#rows.byRarity().subarray(0, this.size - wanted)) {
			forgotten[row] = 1;
			this.#lost += this.#rows.amount(row).count;
		}
		this.#rows.rebuild((_, row) => forgotten[row] === 0);
	}
}
