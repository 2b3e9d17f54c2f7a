/** The flows that this host sees, from what the kernel counts to what is on the disk. It owns no thread and no socket. */

import { statSync } from "node:fs";
import { join } from "node:path";
import { isIcmp } from "../../../../base/protocol.ts";
import { readState, type StateRead, setAside, writeState } from "../../../../state/state-file.ts";
import { baselineFile, KnownFlows, parseBaseline } from "../../history/baseline.ts";
import { answerFlows, type IsNew } from "../../history/flow-answer.ts";
import { parseFlowQuery } from "../../history/flow-query.ts";
import { FlowStore } from "../../history/flow-store.ts";
import {
	flowWords,
	mergeRemote,
	readWords,
	setAddress,
	setFacts,
	setVerdict,
	verdictOf,
} from "../../history/flow-words.ts";
import { KeyTable } from "../../history/key-table.ts";
import { historyFile, loadHistory, saveHistory } from "../../history/saved-history.ts";
import { type FlowJson, flowJson, type SeenFlow } from "../../history/seen-flow.ts";
import { Tracker } from "../../history/tracker.ts";
import { type SeenKind, type SeenPlace, seenTimeout } from "../../names.ts";
import { type KeyPlaces, keyPlaces, type SeenElement } from "../../observe/seen-sets.ts";
import type { HistoryCalls, HistoryFacts, Polled, SeenAnswer, SeenQuestion } from "./history-calls.ts";

/** Between two times that flows are saved; with the time between two looks it is less than a minute. */
const saveMs = 45_000;

/** Questions at a time: the thread that compiles has other things to do between them. */
const mostQuestions = 1000;

/** New flows that are told one by one at a time. */
const mostNews = 3;

/** Reads all sets; gives each element to `each`. Returns an error text, or null. */
export type ReadSets = (
	each: (place: SeenPlace, kind: SeenKind, element: SeenElement) => void,
) => string | null;

export interface KeeperOptions {
	readonly stateDirectory: string;
	/** 1 or more. */
	readonly maxFlows: number;
	readonly read: ReadSets;
	/** New flows for which the kernel's sets had no room, all in all; null where nobody can say. */
	readonly unseen: () => number | null;
	readonly interfaceName: (index: number) => string;
	/** Milliseconds since the epoch. */
	readonly time: () => number;
	/** Milliseconds on a clock that only goes forwards. */
	readonly now: () => number;
	readonly seed: number;
	/** Called when flows were written to the disk, which leaves several times their size behind in memory. */
	readonly wrote?: () => void;
}

export class FlowKeeper {
	readonly #options: KeeperOptions;
	readonly #store: FlowStore;
	readonly #tracker: Tracker;
	readonly #words = new Uint32Array(flowWords);
	/** What an earlier process had counted, until the first look. */
	#before: { readonly keys: KeyTable; readonly savedAt: number } | null = null;
	#places: { readonly place: SeenPlace; readonly kind: SeenKind; readonly at: KeyPlaces } | null = null;
	#baseline: KnownFlows | null = null;
	/** Tells one version of its file from the next. */
	#baselineVersion = "";
	#savedAt: number;
	#savedChanges = 0;
	#unseen: number | null = null;
	#newFlows = 0;
	#news: FlowJson[] = [];
	#moreNews = 0;
	#pollMs = 0;
	#readProblem = "";
	#saveProblem = "";
	/** What the operator should know of what was found. */
	readonly notice: string;

	constructor(options: KeeperOptions) {
		const { stateDirectory, maxFlows, seed, time, now } = options;
		this.#options = options;
		this.#tracker = new Tracker(seed);
		this.#savedAt = now();
		const begin = { maxFlows, seed, since: time() };
		const path = join(stateDirectory, historyFile);
		const read = readState(path);
		const loaded = read.ok ? loadHistory(read.value, begin) : null;
		this.#store = loaded ?? new FlowStore(begin);
		this.notice = noticeOf(path, read, loaded !== null);
		if (loaded === null) return;
		this.#before = { keys: keysOf(loaded, seed), savedAt: latest(loaded) };
		this.#savedChanges = loaded.changes;
	}

	poll({ generation }: { readonly generation: number }): Polled {
		const { read, now, time } = this.#options;
		const started = now();
		this.#readBaseline();
		this.#tracker.begin();
		// The clock is read at each element: this thread may have stood still since it began.
		const problem = read((place, kind, element) => this.#take(place, kind, element, time(), now()));
		this.#store.lose(this.#tracker.end(started));
		// What this look missed the next one meets for the first time.
		if (problem === null) this.#before = null;
		this.#readProblem = problem === null ? "" : `the kernel's sets could not be read: ${problem}`;
		this.#countUnseen();
		this.#pollMs = now() - started;
		return this.#settle(generation);
	}

	decided({ generation, rows, answers }: Parameters<HistoryCalls["decided"]>[0]): Polled {
		for (const [i, row] of rows.entries()) {
			const answer: SeenAnswer | undefined = answers[i];
			if (answer !== undefined) this.#tracker.decide(row, generation, this.#store.verdict(answer));
		}
		return this.#settle(generation);
	}

	get facts(): HistoryFacts {
		return {
			flows: this.#store.size,
			merged: this.#store.merged,
			lost: this.#store.lost,
			newFlows: this.#newFlows,
			since: this.#store.since,
			pollMs: this.#pollMs,
			elements: this.#tracker.size,
			problem: this.#readProblem,
			unsaved: this.#saveProblem,
		};
	}

	flows({
		query: text,
		form = "json",
	}: Parameters<HistoryCalls["flows"]>[0]): ReturnType<HistoryCalls["flows"]> {
		const parsed = parseFlowQuery(text);
		if (!parsed.ok) return parsed;
		this.#readBaseline();
		const baseline = this.#baseline;
		const isNew: IsNew = baseline && ((flow) => !baseline.covers(flow));
		return {
			ok: true,
			body: answerFlows(this.#store, parsed.query, form, isNew, this.#options.time()),
		};
	}

	/** "" or an error text. */
	save(): string {
		const { stateDirectory, now, wrote } = this.#options;
		const { changes } = this.#store;
		this.#savedAt = now();
		if (changes === this.#savedChanges) return "";
		const error = writeState(join(stateDirectory, historyFile), saveHistory(this.#store));
		wrote?.();
		if (error === null) this.#savedChanges = changes;
		this.#saveProblem = error === null ? "" : `the flows could not be saved: ${error}`;
		return this.#saveProblem;
	}

	#take(
		place: SeenPlace,
		kind: SeenKind,
		{ key, count, left }: SeenElement,
		time: number,
		now: number,
	): void {
		const { forwarded, family, direction } = place;
		const at = this.#placesOf(place, kind);
		const protocol = key[at.protocol] ?? 0;
		const number = at.port === null ? 0 : ((key[at.port] ?? 0) << 8) | (key[at.port + 1] ?? 0);
		const typed = isIcmp(protocol);
		const named = this.#options.interfaceName(hostWord(key, at.interface));
		const link = this.#store.interface(named);
		const own = direction === "ingress" ? "input" : "output";
		const hasPort = at.port !== null && !typed;
		// A packet to port 0 asks for no service.
		if (hasPort && number === 0) return;
		const hook = forwarded ? "forward" : own;
		const facts = {
			direction,
			hook,
			family,
			protocol,
			port: hasPort ? number : null,
			interface: link,
		} as const;
		setFacts(this.#words, facts, forwarded);
		setAddress(this.#words, "remote", key, at.remote, family);
		this.#words.fill(0, 6, 10);
		if (at.guest !== null) setAddress(this.#words, "guest", key, at.guest, family);
		// Types are told apart as long as nobody judged them.
		setVerdict(this.#words, typed ? number >> 8 : 0);
		const idle = Math.max(0, seenTimeout * 1000 - left);
		const look = { count, lastPacket: now - idle, forgottenAt: now + left };
		this.#tracker.take(this.#words, look, () => this.#counted(count, time - idle));
	}

	/** Elements come set by set. */
	#placesOf(place: SeenPlace, kind: SeenKind): KeyPlaces {
		const known = this.#places;
		if (known !== null && known.place === place && known.kind === kind) return known.at;
		const at = keyPlaces(place, kind);
		this.#places = { place, kind, at };
		return at;
	}

	/** What an earlier process had counted of an element whose last packet came at a time. */
	#counted(count: number, last: number): number {
		if (this.#before === null) return 0;
		const { keys, savedAt } = this.#before;
		const plain = this.#words.slice();
		setVerdict(plain, 0);
		if (keys.find(plain) < 0) {
			// The flow may be part of a block by now.
			mergeRemote(plain);
			if (keys.find(plain) < 0) return 0;
		}
		// How many came behind what was saved nobody knows; one did.
		return last <= savedAt + 1000 ? count : count - 1;
	}

	#settle(generation: number): Polled {
		const { time, now } = this.#options;
		const [wall, clock] = [time(), now()];
		const questions: { row: number; question: SeenQuestion }[] = [];
		this.#tracker.settle(
			generation,
			mostQuestions,
			(key, verdict, count, lastPacket) => this.#keep(key, verdict, count, wall - (clock - lastPacket)),
			(key, row) => questions.push({ row, question: this.#question(key) }),
		);
		if (questions.length === 0 && clock - this.#savedAt >= saveMs) this.save();
		const news = this.#news;
		const moreNews = this.#moreNews;
		this.#news = [];
		this.#moreNews = 0;
		return { facts: this.facts, changes: this.#store.changes, questions, news, moreNews };
	}

	#keep(key: Uint32Array, verdict: number, count: number, last: number): void {
		if (verdict < 0) {
			this.#store.lose(count);
			return;
		}
		setVerdict(key, verdict);
		const seen = Math.max(0, Math.floor(last));
		const isNew = this.#store.add(key, { count, first: seen, last: seen });
		if (!isNew || this.#baseline === null) return;
		const flow = this.#flowOf(key, count, seen);
		if (!flow.isNew) return;
		this.#newFlows += 1;
		if (this.#news.length < mostNews) this.#news.push(flowJson(flow));
		else this.#moreNews += 1;
	}

	#flowOf(key: Uint32Array, count: number, seen: number): SeenFlow {
		const { action, policy } = this.#store.verdicts[verdictOf(key)] ?? { action: "Allow", policy: null };
		const flow = { ...readWords(key), interface: this.#interfaceOf(key), action, policy, count, bytes: null };
		const isNew = this.#baseline !== null && !this.#baseline.covers(flow);
		return { ...flow, firstSeen: seen, lastSeen: seen, isNew };
	}

	#interfaceOf(key: Uint32Array): string {
		return this.#store.interfaces[(key[1] ?? 0) >>> 16] ?? "";
	}

	#question(key: Uint32Array): SeenQuestion {
		const { direction, hook, protocol, remote, port } = readWords(key);
		const typed = isIcmp(protocol);
		return {
			direction,
			forwarded: hook === "forward",
			family: remote.family,
			address: remote.base,
			interface: this.#interfaceOf(key),
			protocol,
			port: port ?? 0,
			source: typed ? verdictOf(key) : null,
		};
	}

	#countUnseen(): void {
		const unseen = this.#options.unseen();
		if (unseen === null) return;
		const before = this.#unseen;
		this.#unseen = unseen;
		// What the first look finds an earlier process has told of.
		if (before !== null) this.#store.lose(unseen < before ? unseen : unseen - before);
	}

	#readBaseline(): void {
		const path = join(this.#options.stateDirectory, baselineFile);
		const version = versionOf(path);
		if (version === this.#baselineVersion) return;
		this.#baselineVersion = version;
		const read = readState(path);
		const parsed = read.ok ? parseBaseline(read.value) : null;
		this.#baseline = parsed && new KnownFlows(parsed);
	}
}

/** A word of 32 bits in the host's byte order, which is little-endian wherever Portward runs. */
function hostWord(bytes: Uint8Array, at: number): number {
	const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
	return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}

/** What became of the file of an earlier process. One that is damaged is kept aside. */
function noticeOf(path: string, read: StateRead, loaded: boolean): string {
	if (!read.ok && read.reason === "absent") return "";
	if (read.ok && loaded && read.problem === null) return "";
	const aside = setAside(path);
	const kept = aside === null ? "" : `; the file is kept as ${aside}`;
	if (read.ok && loaded) return `${read.problem}${kept}`;
	return `${read.ok ? `${path} holds no flows of this version` : read.message}; watching begins anew${kept}`;
}

function versionOf(path: string): string {
	try {
		const { ino, size, mtimeMs, ctimeMs } = statSync(path);
		return [ino, size, mtimeMs, ctimeMs].join();
	} catch {
		return "";
	}
}

/** Which flows a store holds, whatever was decided about them. */
function keysOf(store: FlowStore, seed: number): KeyTable {
	const keys = new KeyTable(flowWords, seed);
	const words = new Uint32Array(flowWords);
	for (let row = 0; row < store.size; row++) {
		store.read(row, words);
		setVerdict(words, 0);
		keys.add(words);
	}
	return keys;
}

/** When the last flow was seen. */
function latest(store: FlowStore): number {
	const words = new Uint32Array(flowWords);
	let last = 0;
	for (let row = 0; row < store.size; row++) last = Math.max(last, store.read(row, words).last);
	return last;
}
