/** The flows that this host saw: of the running daemon, or where none runs, as the last one left them on the disk. */

import { join } from "node:path";
import type { Config } from "../../config/model.ts";
import { baselineFile, KnownFlows, parseBaseline } from "../../enforcers/network/history/baseline.ts";
import { flowRowsType } from "../../enforcers/network/history/flow-rows.ts";
import { historyFile, readSavedHistory } from "../../enforcers/network/history/saved-history.ts";
import type { SeenFlow, SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { readState } from "../../state/state-file.ts";
import { type Answer, ask } from "../status/client.ts";
import type { FlowList } from "./flow-list.ts";
import { readRows } from "./flow-rows.ts";
import { readFlows } from "./flows-file.ts";

export interface ReadHistory extends SeenHistory {
	/** The same flows without an object for each; absent where they are objects already. */
	readonly list?: FlowList;
}

export type HistoryRead =
	| {
			readonly ok: true;
			readonly history: ReadHistory;
			/** Where it comes from, for who is told. */
			readonly from: "daemon" | "disk";
			/** Why it is not what it should be; "" where it is. */
			readonly problem: string;
	  }
	/** `message`: a sentence for the operator, not escaped. */
	| { readonly ok: false; readonly message: string };

export interface HistoryWish {
	/** The daemon's address comes from the command line. */
	readonly named: boolean;
	readonly signal: AbortSignal;
	/** Only flows last seen at or after this time, in milliseconds since the epoch; null: all. */
	readonly since: number | null;
}

/** More than the settings allow to be kept. */
const everyFlow = 1_000_000;

/** @param now milliseconds since the epoch */
export async function readHistory(
	config: Config,
	{ named, signal, since }: HistoryWish,
	now = Date.now(),
): Promise<HistoryRead> {
	const from = since === null ? "" : `&since=${new Date(since).toISOString()}`;
	const path = `/v1/flows?limit=${everyFlow}${from}`;
	const reply = await ask(config, named, path, signal, { accept: flowRowsType });
	if (!reply.ok) {
		if (reply.absent !== true) return reply;
		const kept = readKeptHistory(config.stateDir, since, now);
		return kept.ok ? kept : { ok: false, message: `${reply.message} ${kept.message}` };
	}
	const read = await readAnswer(reply.response);
	if (read.ok) return { ok: true, history: read.history, from: "daemon", problem: "" };
	const message = `what answers there sent no flows${read.why}; is it portward, and of this version?`;
	return { ok: false, message };
}

type AnswerRead =
	| { readonly ok: true; readonly history: ReadHistory }
	/** `why`: "" or " (…)". */
	| { readonly ok: false; readonly why: string };

/** Rows, or the JSON of a daemon that knows none. */
async function readAnswer(response: Answer): Promise<AnswerRead> {
	if (response.headers.get("content-type") === flowRowsType) {
		const read = readRows(await response.bytes());
		if (!read.ok) return { ok: false, why: ` (${read.message})` };
		return { ok: true, history: lazily(read.history, read.list) };
	}
	const read = readFlows("the daemon's answer", await response.text());
	return read.ok ? read : { ok: false, why: "" };
}

/** Flows are objects once somebody wants them as such. */
function lazily(sums: Omit<SeenHistory, "flows">, list: FlowList): ReadHistory {
	let flows: readonly SeenFlow[] | null = null;
	return {
		...sums,
		list,
		get flows() {
			flows ??= Array.from({ length: list.length }, (_, index) => list.flow(index));
			return flows;
		},
	};
}

/** What the last daemon kept of what it saw. */
export function readKeptHistory(stateDir: string, since: number | null, now: number): HistoryRead {
	const path = join(stateDir, historyFile);
	const read = readState(path);
	if (!read.ok) {
		const absent =
			"No flows were kept: observe.enabled may be off, or the daemon has not run for a minute yet.";
		return { ok: false, message: read.reason === "absent" ? absent : read.message };
	}
	const history = readSavedHistory(read.value, now);
	if (history === null) return { ok: false, message: `${path} is damaged: it holds no flows` };
	const baseline = readState(join(stateDir, baselineFile));
	const parsed = baseline.ok ? parseBaseline(baseline.value) : null;
	const known = parsed && new KnownFlows(parsed);
	const flows = history.flows
		.filter(({ lastSeen }) => since === null || lastSeen >= since)
		.map((flow) => ({ ...flow, isNew: known !== null && !known.covers(flow) }));
	const asked = since === null ? history.since : Math.max(history.since, since);
	return {
		ok: true,
		history: { ...history, since: asked, flows },
		from: "disk",
		problem: read.problem ?? "",
	};
}
