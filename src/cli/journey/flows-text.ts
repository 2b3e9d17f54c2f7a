/** Flows as tables of eighty columns. Pure. No terminal obeys what is in them. */

import type { Action } from "../../base/model.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { describeFlow, verdictWord } from "../../enforcers/network/history/describe-flow.ts";
import type { SeenFlow, SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { plural } from "../diagnostics.ts";
import { compactAge, compactNumber, hanging } from "./compact.ts";
import type { FlowGroup } from "./flow-groups.ts";

/** @param now milliseconds since the epoch @param flows in the order in which they are to stand */
export function flowsTable(flows: readonly SeenFlow[], now: number): string {
	const starts = new Starts();
	let table = `${start("COUNT", "LAST", "VERDICT")}FLOW\n`;
	for (const flow of flows) {
		const { count, lastSeen, action } = flow;
		table += hanging(starts.text(count, now - lastSeen, action), escapeForTerminal(flowText(flow)));
	}
	return table;
}

/** The first columns of rows: of very many flows, most have those of the one before. */
class Starts {
	#count = -1;
	#age = "";
	#action: Action = "Allow";
	#text = "";

	text(count: number, age: number, action: Action): string {
		const ago = compactAge(age);
		if (count === this.#count && ago === this.#age && action === this.#action) return this.#text;
		this.#count = count;
		this.#age = ago;
		this.#action = action;
		this.#text = start(compactNumber(count), ago, verdictWord[action]);
		return this.#text;
	}
}

/** What happened, and who decided. */
function flowText(flow: SeenFlow): string {
	const by = flow.policy === null ? "" : ` (${flow.policy})`;
	return `${describeFlow(flow)}${by}${flow.isNew ? " NEW" : ""}`;
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

/** What the table is of, and what is not in it. @param left rows that were left out */
export function historyNote({ since, flows, merged, lost }: SeenHistory, left: number): string {
	const times = flows.reduce((sum, { count }) => sum + count, 0);
	const lines = [
		`${plural(flows.length, "flow")}, seen ${plural(times, "time")} since ${new Date(since).toISOString()}`,
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
