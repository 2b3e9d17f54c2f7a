/** The answer to who asks for flows, from the store to bytes: no flow of it is an object for longer than it takes to write. Pure. */

import { type FlowQuery, isAskedFor } from "./flow-query.ts";
import type { FlowStore } from "./flow-store.ts";
import { historyText } from "./history-text.ts";
import type { SeenFlow } from "./seen-flow.ts";

/**
 * Those seen last come first.
 * @param told says of a flow whether it is new @param now milliseconds since the epoch
 */
export function answerFlows(
	store: FlowStore,
	query: FlowQuery,
	told: (flow: Omit<SeenFlow, "isNew">) => SeenFlow,
	now: number,
): Uint8Array<ArrayBuffer> {
	const rows = askedRows(store, query, told, now).subarray(0, query.limit);
	const since = Math.max(Math.min(store.since, now), query.since ?? 0);
	const { merged, lost } = store;
	return historyText({ since, merged, lost }, flowsOf(store, rows, told, now), rows.length);
}

function askedRows(
	store: FlowStore,
	query: FlowQuery,
	told: (flow: Omit<SeenFlow, "isNew">) => SeenFlow,
	now: number,
): Uint32Array {
	const rows = new Uint32Array(store.size);
	const lasts = new Float64Array(store.size);
	let count = 0;
	for (let row = 0; row < store.size; row++) {
		const brief = store.brief(row, now);
		const isNew = query.onlyNew && told(store.flow(row, now)).isNew;
		if (!isAskedFor(query, { ...brief, isNew })) continue;
		lasts[row] = brief.lastSeen;
		rows[count] = row;
		count += 1;
	}
	return rows.subarray(0, count).sort((a, b) => (lasts[b] ?? 0) - (lasts[a] ?? 0) || a - b);
}

function* flowsOf(
	store: FlowStore,
	rows: Uint32Array,
	told: (flow: Omit<SeenFlow, "isNew">) => SeenFlow,
	now: number,
): Iterable<SeenFlow> {
	for (const row of rows) yield told(store.flow(row, now));
}
