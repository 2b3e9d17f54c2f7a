/** Flows as tables of eighty columns. Pure. No terminal obeys what is in them. */

import type { Action } from "../../base/model.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { describeFlow, verdictWord } from "../../enforcers/network/history/describe-flow.ts";
import type { SeenFlow, SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { plural } from "../diagnostics.ts";
import { compactAge, compactNumber, hanging, tableWidth } from "./compact.ts";
import type { FlowGroup } from "./flow-groups.ts";
import type { FlowList } from "./flow-list.ts";

/** Characters of a piece of a table. */
const pieceLength = 32_768;

/**
 * The table, piece by piece: whoever reads it has the first rows while the last are made.
 * @param order the numbers of its flows @param now milliseconds since the epoch
 */
export function* flowsTable(list: FlowList, order: Uint32Array, now: number): Generator<string, void> {
	const starts = new Starts();
	let piece = `${start("COUNT", "LAST", "VERDICT")}FLOW\n`;
	for (const index of order) {
		const columns = starts.text(list.count(index), now - list.lastSeen(index), list.action(index));
		const { before, after } = list.telling(index);
		const remote = list.remote(index);
		piece +=
			columns.length + before.length + remote.length + after.length <= tableWidth
				? `${columns}${before}${remote}${after}\n`
				: hanging(columns, `${before}${remote}${after}`);
		if (piece.length < pieceLength) continue;
		yield piece;
		piece = "";
	}
	yield piece;
}

/** The first columns of rows: of very many flows, most have those of the one before. */
class Starts {
	#count = -1;
	#seconds = -1;
	#action: Action = "Allow";
	#text = "";

	/** @param age milliseconds */
	text(count: number, age: number, action: Action): string {
		const seconds = Math.floor(age / 1000);
		if (count === this.#count && seconds === this.#seconds && action === this.#action) return this.#text;
		this.#count = count;
		this.#seconds = seconds;
		this.#action = action;
		this.#text = start(compactNumber(count), compactAge(age), verdictWord[action]);
		return this.#text;
	}
}

function start(count: string, age: string, verdict: string): string {
	return `${count.padStart(6)} ${age.padStart(5)}  ${verdict.padEnd(7)}  `;
}

const headings = ["COUNT", "FLOWS", "LAST", "ALLOW", "AUDIT", "BLOCK"] as const;
const widths = [6, 5, 5, 6, 6, 6] as const;

export function groupsTable(groups: readonly FlowGroup[], heading: string, now: number): string {
	const rows = groups.map(({ key, count, flows, lastSeen, allowed, audited, blocked, isNew }) => {
		const cells = [count, flows, -1, allowed, audited, blocked].map((value, index) =>
			index === 2 ? compactAge(now - lastSeen) : compactNumber(value),
		);
		return hanging(columns(cells), `${escapeForTerminal(key)}${isNew ? " NEW" : ""}`);
	});
	return [`${columns(headings)}${heading}\n`, ...rows].join("");
}

function columns(cells: readonly string[]): string {
	return `${cells.map((cell, index) => cell.padStart(widths[index] ?? 0)).join(" ")}  `;
}

/** What the table is of, and what is not in it. @param times that its flows were seen @param left rows that were left out */
export function historyNote(
	{ since, merged, lost }: Omit<SeenHistory, "flows">,
	flows: number,
	times: number,
	left: number,
): string {
	const lines = [
		`${plural(flows, "flow")}, seen ${plural(times, "time")} since ${new Date(since).toISOString()}`,
	];
	if (left > 0) lines.push(`${plural(left, "row")} more: without --limit all are shown`);
	if (merged > 0)
		lines.push(
			`${plural(merged, "flow")} ${merged === 1 ? "was one too many to be kept apart, and stands in a block" : "were too many to be kept apart, and stand as blocks"} of addresses`,
		);
	if (lost > 0)
		lines.push(`of ${plural(lost, "flow")} nothing is known but that ${lost === 1 ? "it was" : "they were"}`);
	return lines.map((line) => `${line}\n`).join("");
}

/** A line of `--follow`. @param more new flows since the line before about it */
export function followLine(flow: SeenFlow, more: number): string {
	const time = new Date(flow.lastSeen).toISOString().slice(0, 19);
	const often = more > 1 ? ` (${more} times)` : "";
	const by = flow.policy === null ? "" : ` by ${flow.policy}`;
	const text = `${time}Z ${describeFlow(flow)}: ${verdictWord[flow.action]}${by}${often}${flow.isNew ? " NEW" : ""}`;
	return `${escapeForTerminal(text)}\n`;
}
