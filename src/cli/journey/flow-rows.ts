/** Reads the daemon's flows as rows. What answers may be anybody, so nothing in it is believed. Pure. */

import * as v from "valibot";
import type { Action } from "../../base/model.ts";
import { isTransport } from "../../base/protocol.ts";
import {
	headAt,
	newBit,
	numberAt,
	type RowsHead,
	readRow,
	rowAt,
	rowLength,
} from "../../enforcers/network/history/flow-rows.ts";
import {
	addressWords,
	areWhole,
	flowWords,
	hasGuest,
	hasHostBits,
	interfaceOf,
	prefixIn,
	readPlace,
	readWords,
	verdictOf,
} from "../../enforcers/network/history/flow-words.ts";
import { remoteText, type SeenFlow, type SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { type FlowList, type Telling, tellingOf } from "./flow-list.ts";
import { actions, link, policy, whole } from "./flows-file.ts";

export type RowsRead =
	| { readonly ok: true; readonly history: Omit<SeenHistory, "flows">; readonly list: FlowList }
	/** `message`: the first thing that is wrong, and where, in words of ours alone. */
	| { readonly ok: false; readonly message: string };

/** The end of the year 9999, the last that JSON has. */
const latest = 253_402_300_799_999;

const headShape = v.strictObject({
	since: v.pipe(whole(0), v.maxValue(latest)),
	merged: whole(0),
	lost: whole(0),
	flows: whole(0),
	interfaces: v.array(link),
	verdicts: v.array(v.strictTuple([v.picklist(actions), policy])),
});

export function readRows(bytes: Uint8Array): RowsRead {
	const begin = endOfHead(bytes);
	const head = begin === null ? null : readHead(bytes.subarray(headAt, begin));
	if (begin === null || head === null) return { ok: false, message: "the head of its rows cannot be read" };
	// Arrays of words lie at multiples of their size.
	const whole = (bytes.byteOffset + begin) % 4 === 0 ? bytes.subarray(begin) : bytes.slice(begin);
	const words = new Uint32Array(whole.buffer, whole.byteOffset, whole.length >>> 2);
	const { since, merged, lost } = head;
	// Who tells of more rows than there is room for does not get as much memory for them.
	const starts = new Uint32Array(Math.min(head.flows, words.length) + 1);
	let at = 0;
	for (let row = 0; row < head.flows; row++) {
		const problem = at + rowAt.remote > words.length ? "it is cut" : problemOf(words, at, head);
		if (problem !== null) return { ok: false, message: `flow ${row} is wrong: ${problem}` };
		starts[row] = at;
		at += rowLength(words[at] ?? 0);
	}
	if (at * 4 !== whole.length) return { ok: false, message: "there is more behind its last row" };
	return { ok: true, history: { since, merged, lost }, list: new FlowRows(head, words, starts) };
}

function endOfHead(bytes: Uint8Array): number | null {
	if (bytes.length < headAt) return null;
	const end = headAt + new DataView(bytes.buffer, bytes.byteOffset, headAt).getUint32(0, true);
	return end % 4 === 0 && end <= bytes.length ? end : null;
}

function readHead(bytes: Uint8Array): RowsHead | null {
	try {
		const parsed = v.safeParse(headShape, JSON.parse(new TextDecoder().decode(bytes)), { abortEarly: true });
		return parsed.success ? parsed.output : null;
	} catch {
		return null;
	}
}

const one = new Uint32Array(flowWords);

/** What no kernel saw in the row that begins at a word; null where all is right. */
function problemOf(words: Uint32Array, at: number, head: RowsHead): string | null {
	const facts = (words[at] ?? 0) & ~newBit;
	if (at + rowLength(facts) > words.length) return "it is cut";
	readRow(words, at, one);
	const count = numberAt(words, at + rowAt.count);
	const first = numberAt(words, at + rowAt.first);
	const last = numberAt(words, at + rowAt.last);
	if (!areWhole(one)) return "it says what no flow can be";
	if (interfaceOf(one) >= head.interfaces.length) return "its interface has no name";
	if (verdictOf(one) >= head.verdicts.length) return "its verdict is not told";
	if (hasHostBits(one)) return "its block has bits set beyond its prefix";
	if (count < 1 || count > Number.MAX_SAFE_INTEGER) return "it was seen no times, or too many";
	if (first > last || last > latest) return "its times cannot be";
	return contradiction(facts);
}

/** The same of where the packets were met, which is in `one`. */
function contradiction(facts: number): string | null {
	const { direction, hook, protocol, port } = readPlace(one);
	if (isTransport(protocol) !== (port !== null)) return "its protocol and its port do not fit";
	if (port === 0) return "its port is 0";
	if ((hook === "forward") !== hasGuest(facts)) return "what is forwarded has a guest, and nothing else has";
	const own = direction === "ingress" ? "input" : "output";
	return hook === "forward" || hook === own ? null : "it was not judged where its direction is";
}

/** So many tellings are remembered; a power of two. */
const tellings = 256;

const parts = Array.from({ length: 256 }, (_, part) => String(part));
const laterParts = parts.map((part) => `.${part}`);

interface Known extends Telling {
	readonly facts: number;
	readonly service: number;
	readonly verdict: number;
}

/** Rows in which nothing is wrong. */
class FlowRows implements FlowList {
	readonly #head: RowsHead;
	readonly #words: Uint32Array;
	/** Where rows begin. */
	readonly #starts: Uint32Array;
	/** Most flows are told as others are, but for the remote end. */
	readonly #known: (Known | undefined)[] = new Array(tellings).fill(undefined);

	constructor(head: RowsHead, words: Uint32Array, starts: Uint32Array) {
		this.#head = head;
		this.#words = words;
		this.#starts = starts;
	}

	get length(): number {
		return this.#head.flows;
	}

	count(index: number): number {
		return numberAt(this.#words, this.#start(index) + rowAt.count);
	}

	lastSeen(index: number): number {
		return numberAt(this.#words, this.#start(index) + rowAt.last);
	}

	action(index: number): Action {
		return this.#verdict(this.#words[this.#start(index) + rowAt.verdict] ?? 0)[0];
	}

	isNew(index: number): boolean {
		return ((this.#words[this.#start(index)] ?? 0) & newBit) !== 0;
	}

	telling(index: number): Telling {
		const at = this.#start(index);
		const facts = this.#words[at] ?? 0;
		if (hasGuest(facts)) return tellingOf(this.flow(index));
		const service = this.#words[at + rowAt.service] ?? 0;
		const verdict = this.#words[at + rowAt.verdict] ?? 0;
		const place = (service ^ (service >>> 16) ^ (facts >>> 16) ^ (verdict << 3)) & (tellings - 1);
		const found = this.#known[place];
		if (found?.facts === facts && found.service === service && found.verdict === verdict) return found;
		const known = { facts, service, verdict, ...tellingOf(this.flow(index)) };
		this.#known[place] = known;
		return known;
	}

	remote(index: number): string {
		const at = this.#start(index);
		const facts = this.#words[at] ?? 0;
		if (addressWords(facts) !== 1) return remoteText(this.flow(index).remote);
		const address = this.#words[at + rowAt.remote] ?? 0;
		const prefix = prefixIn(facts);
		const [a, b] = [parts[address >>> 24] ?? "", laterParts[(address >>> 16) & 255] ?? ""];
		const [c, d] = [laterParts[(address >>> 8) & 255] ?? "", laterParts[address & 255] ?? ""];
		return prefix === 32 ? `${a}${b}${c}${d}` : `${a}${b}${c}${d}/${parts[prefix]}`;
	}

	flow(index: number): SeenFlow {
		const at = this.#start(index);
		readRow(this.#words, at, one);
		const [action, policy] = this.#verdict(verdictOf(one));
		return {
			...readWords(one),
			interface: this.#head.interfaces[interfaceOf(one)] ?? "",
			action,
			policy,
			count: this.count(index),
			bytes: null,
			firstSeen: numberAt(this.#words, at + rowAt.first),
			lastSeen: this.lastSeen(index),
			isNew: this.isNew(index),
		};
	}

	#start(index: number): number {
		return this.#starts[index] ?? 0;
	}

	#verdict(number: number): RowsHead["verdicts"][number] {
		return this.#head.verdicts[number] ?? ["Allow", null];
	}
}
