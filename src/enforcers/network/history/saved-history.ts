/** The store as a plain value that a state file holds, and back. Pure. */

import * as v from "valibot";
import { FlowStore, type StoreOptions } from "./flow-store.ts";
import { areWhole, flowWords, interfaceOf, setInterface, verdictOf } from "./flow-words.ts";
import type { SeenHistory } from "./seen-flow.ts";

/** The state file. */
export const historyFile = "seen-flows.json";

const version = 1;

/** Of a flow: its words, then count, first and last as 64-bit numbers, all in little-endian order. */
const rowBytes = flowWords * 4 + 3 * 8;

const amount = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const shape = v.object({
	version: v.literal(version),
	since: amount,
	merged: amount,
	lost: amount,
	interfaces: v.array(v.pipe(v.string(), v.maxLength(64))),
	verdicts: v.array(v.tuple([v.picklist(["Allow", "Audit", "Block"]), v.nullable(v.string())])),
	flows: amount,
	/** Base64. */
	rows: v.string(),
});

export type SavedHistory = v.InferOutput<typeof shape>;

export function saveHistory(store: FlowStore): SavedHistory {
	const bytes = Buffer.alloc(store.size * rowBytes);
	const words = new Uint32Array(flowWords);
	for (let row = 0; row < store.size; row++) {
		const { count, first, last } = store.read(row, words);
		let at = row * rowBytes;
		for (const word of words) at = bytes.writeUInt32LE(word, at);
		for (const value of [count, first, last]) at = bytes.writeDoubleLE(value, at);
	}
	return {
		version,
		since: store.since,
		merged: store.merged,
		lost: store.lost,
		interfaces: [...store.interfaces],
		verdicts: store.verdicts.map(({ action, policy }) => [action, policy]),
		flows: store.size,
		rows: bytes.toString("base64"),
	};
}

/** Null where the value is none that `saveHistory` gives. */
export function loadHistory(value: unknown, options: StoreOptions): FlowStore | null {
	const read = v.safeParse(shape, value);
	if (!read.success) return null;
	const { since, merged, lost, interfaces, verdicts, flows, rows } = read.output;
	const bytes = Buffer.from(rows, "base64");
	if (bytes.length !== flows * rowBytes) return null;
	const saved = new FlowStore({ ...options, maxFlows: Math.max(flows, 1) });
	const links = interfaces.map((name) => saved.interface(name));
	for (const [action, policy] of verdicts) saved.verdict({ action, policy });
	const words = new Uint32Array(flowWords);
	for (let at = 0; at < bytes.length; at += rowBytes) {
		for (let i = 0; i < flowWords; i++) words[i] = bytes.readUInt32LE(at + i * 4);
		const [count = 0, first = 0, last = 0] = [0, 8, 16].map((more) =>
			bytes.readDoubleLE(at + flowWords * 4 + more),
		);
		const link = links[interfaceOf(words)];
		const known = link !== undefined && verdictOf(words) < verdicts.length;
		const whole = [count, first, last].every((one) => Number.isSafeInteger(one) && one >= 0);
		if (!known || !whole || !areWhole(words) || count < 1 || first > last) return null;
		setInterface(words, link);
		saved.add(words, { count, first, last });
	}
	saved.begin({ since, merged, lost });
	// The numbers of names that nothing has any more are free again, and the settings may allow fewer flows by now.
	const store = new FlowStore({ ...options, since });
	store.take(saved);
	return store;
}

/** What a saved store says to who only reads it; null where it is damaged. @param now milliseconds since the epoch. */
export function readSavedHistory(value: unknown, now: number): SeenHistory | null {
	const store = loadHistory(value, { maxFlows: Number.MAX_SAFE_INTEGER, seed: 0, since: now });
	if (store === null) return null;
	const flows = Array.from({ length: store.size }, (_, row) => ({ ...store.flow(row, now), isNew: false }));
	return { since: Math.min(store.since, now), flows, merged: store.merged, lost: store.lost };
}
