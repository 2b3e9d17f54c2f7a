/** The answer to who asks for flows, from the store to bytes: no flow of it is an object for longer than it takes to write. Pure. */

import { type FlowQuery, isAskedFor } from "./flow-query.ts";
import { historyRows } from "./flow-rows.ts";
import type { FlowStore } from "./flow-store.ts";
import { historyText } from "./history-text.ts";
import type { SeenFlow } from "./seen-flow.ts";

/** Says of a flow whether it is new; null where none is. */
export type IsNew = ((flow: Omit<SeenFlow, "isNew">) => boolean) | null;

/** `json`: as everybody reads it; `rows`: as our own commands do. */
export type AnswerForm = "json" | "rows";

/**
 * Those seen last come first; as rows they do where there are more than are asked for.
 * @param now milliseconds since the epoch
 */
export function answerFlows(
	store: FlowStore,
	query: FlowQuery,
	form: AnswerForm,
	isNew: IsNew,
	now: number,
): Uint8Array<ArrayBuffer> {
	const asked = askedRows(store, query, isNew, now);
	// Our own commands have orders of their own.
	if (form === "json" || asked.rows.length > query.limit) lastFirst(asked);
	const rows = asked.rows.subarray(0, query.limit);
	const since = Math.max(Math.min(store.since, now), query.since ?? 0);
	const { merged, lost } = store;
	const sums = { since, merged, lost };
	if (form === "rows")
		return historyRows(sums, store, rows, (row) => isNew?.(store.flow(row, now)) ?? false, now);
	return historyText(sums, flowsOf(store, rows, isNew, now), rows.length);
}

interface Asked {
	readonly rows: Uint32Array;
	/** When each row of the store was seen last. */
	readonly lasts: Float64Array;
}

function askedRows(store: FlowStore, query: FlowQuery, isNew: IsNew, now: number): Asked {
	const rows = new Uint32Array(store.size);
	const lasts = new Float64Array(store.size);
	let count = 0;
	for (let row = 0; row < store.size; row++) {
		const brief = store.brief(row, now);
		const fresh = query.onlyNew && (isNew?.(store.flow(row, now)) ?? false);
		if (!isAskedFor(query, { ...brief, isNew: fresh })) continue;
		lasts[row] = brief.lastSeen;
		rows[count] = row;
		count += 1;
	}
	return { rows: rows.subarray(0, count), lasts };
}

function lastFirst({ rows, lasts }: Asked): void {
	rows.sort((a, b) => (lasts[b] ?? 0) - (lasts[a] ?? 0) || a - b);
}

function* flowsOf(store: FlowStore, rows: Uint32Array, isNew: IsNew, now: number): Iterable<SeenFlow> {
	for (const row of rows) {
		const flow = store.flow(row, now);
		yield { ...flow, isNew: isNew?.(flow) ?? false };
	}
}
