/**
 * An answer with very many flows for portward's own commands: words of 32 bits, and names once each. It is a seventh of the
 * JSON, and each megabyte takes time on both sides, however little is done with it. Pure.
 */

import type { Action } from "../../../base/model.ts";
import type { Amount, FlowStore } from "./flow-store.ts";
import {
	addressWords,
	flowWords,
	guestAt,
	hasGuest,
	interfaceAt,
	interfaceOf,
	remoteAt,
	setInterface,
	setVerdict,
	verdictAt,
	verdictOf,
} from "./flow-words.ts";
import type { SeenHistory } from "./seen-flow.ts";

/** Who asks for this type gets it; a daemon that does not know it sends JSON. Another layout needs another number. */
export const flowRowsType = "application/vnd.portward.flow-rows.1";

/** JSON, with spaces behind it to a multiple of four bytes. Before it stands how many bytes that is. */
export interface RowsHead {
	readonly since: number;
	readonly merged: number;
	readonly lost: number;
	readonly flows: number;
	/** By the numbers that rows have of them. */
	readonly interfaces: readonly string[];
	readonly verdicts: readonly (readonly [Action, string | null])[];
}

export const headAt = 4;

/**
 * A row, in words in the host's byte order, which is little-endian wherever Portward runs: the three of a flow that are no
 * addresses, its amount in two words each, and the remote end's address and a guest's, as long as their family's are.
 */
export const rowAt = { facts: 0, service: 1, verdict: 2, count: 3, first: 5, last: 7, remote: 9 } as const;

/** Of a row's first word, where no flow's has a bit. */
export const newBit = 1 << 24;

export function rowLength(facts: number): number {
	return rowAt.remote + addressWords(facts) * (hasGuest(facts) ? 2 : 1);
}

const wordSize = 2 ** 32;

export function numberAt(rows: Uint32Array, at: number): number {
	return (rows[at] ?? 0) + (rows[at + 1] ?? 0) * wordSize;
}

/** The words of a flow, of its row. */
export function readRow(rows: Uint32Array, at: number, words: Uint32Array): void {
	const facts = (rows[at] ?? 0) & ~newBit;
	const count = addressWords(facts);
	words.fill(0);
	words[0] = facts;
	words[interfaceAt] = rows[at + rowAt.service] ?? 0;
	words[verdictAt] = rows[at + rowAt.verdict] ?? 0;
	for (let i = 0; i < count; i++) words[remoteAt + i] = rows[at + rowAt.remote + i] ?? 0;
	if (!hasGuest(facts)) return;
	for (let i = 0; i < count; i++) words[guestAt + i] = rows[at + rowAt.remote + count + i] ?? 0;
}

function setNumber(rows: Uint32Array, at: number, value: number): void {
	rows[at] = value % wordSize;
	rows[at + 1] = Math.floor(value / wordSize);
}

function writeRow(rows: Uint32Array, at: number, words: Uint32Array, { count, first, last }: Amount): number {
	const facts = words[0] ?? 0;
	const addresses = addressWords(facts);
	rows[at] = facts;
	rows[at + rowAt.service] = words[interfaceAt] ?? 0;
	rows[at + rowAt.verdict] = words[verdictAt] ?? 0;
	setNumber(rows, at + rowAt.count, count);
	setNumber(rows, at + rowAt.first, first);
	setNumber(rows, at + rowAt.last, last);
	for (let i = 0; i < addresses; i++) rows[at + rowAt.remote + i] = words[remoteAt + i] ?? 0;
	const end = at + rowLength(facts);
	if (hasGuest(facts))
		for (let i = 0; i < addresses; i++) rows[end - addresses + i] = words[guestAt + i] ?? 0;
	return end;
}

/** Those of a list that are used, under numbers of their own in the order of their first use. */
class Used<Item> {
	readonly used: Item[] = [];
	readonly #all: readonly Item[];
	readonly #numbers: number[] = [];

	constructor(all: readonly Item[]) {
		this.#all = all;
	}

	numberOf(place: number): number {
		const known = this.#numbers[place];
		if (known !== undefined) return known;
		const item = this.#all[place];
		if (item === undefined) throw new RangeError(`there is no name ${place}`);
		const number = this.used.push(item) - 1;
		this.#numbers[place] = number;
		return number;
	}
}

/** @param isNew of a row of the store @param now milliseconds since the epoch: nothing was seen later */
export function historyRows(
	{ since, merged, lost }: Omit<SeenHistory, "flows">,
	store: FlowStore,
	asked: Uint32Array,
	isNew: (row: number) => boolean,
	now: number,
): Uint8Array<ArrayBuffer> {
	const words = new Uint32Array(flowWords);
	// What no row bears is not told: whoever reads it must not stumble over it.
	const links = new Used(store.interfaces);
	const verdicts = new Used(store.verdicts);
	let length = 0;
	for (const row of asked) {
		store.read(row, words);
		length += rowLength(words[0] ?? 0);
		links.numberOf(interfaceOf(words));
		verdicts.numberOf(verdictOf(words));
	}
	const known: RowsHead = {
		since,
		merged,
		lost,
		flows: asked.length,
		interfaces: links.used,
		verdicts: verdicts.used.map(({ action, policy }) => [action, policy] as const),
	};
	const head = new TextEncoder().encode(JSON.stringify(known));
	const begin = headAt + Math.ceil(head.length / 4) * 4;
	const bytes = new Uint8Array(begin + length * 4).fill(0x20, headAt, begin);
	bytes.set(head, headAt);
	new Uint32Array(bytes.buffer)[0] = begin - headAt;
	const rows = new Uint32Array(bytes.buffer, begin);
	let at = 0;
	for (const row of asked) {
		const { count, first, last } = store.read(row, words);
		setInterface(words, links.numberOf(interfaceOf(words)));
		setVerdict(words, verdicts.numberOf(verdictOf(words)));
		const lastSeen = Math.min(last, now);
		const end = writeRow(rows, at, words, { count, first: Math.min(first, lastSeen), last: lastSeen });
		if (isNew(row)) rows[at] = (rows[at] ?? 0) | newBit;
		at = end;
	}
	return bytes;
}
