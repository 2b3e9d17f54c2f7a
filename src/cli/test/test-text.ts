/** What test cases came to, for people: a line for each case, and tables as tables. */

import { escapeForTerminal } from "../../base/terminal.ts";
import {
	type CaseResult,
	describeFailure,
	type TableResult,
	type TestRun,
} from "../../engine/testing/run.ts";
import { plural } from "../diagnostics.ts";
import type { Outcome, ProbeReport } from "./probe.ts";

const signs: Readonly<Record<CaseResult["actual"], string>> = { Allow: ".", Block: "X", Audit: "A" };

export function testText({ results, tables }: TestRun, passed: number, failed: number): string {
	const inTables = new Set(tables.flatMap(({ rows }) => rows.flatMap(({ cells }) => cells)));
	const told = results.filter((result) => !result.ok || !inTables.has(result));
	const lines = [
		...tables.flatMap(tableLines),
		...told.map((result) => `${result.ok ? "ok" : "FAILED"}  ${result.test}: ${result.name}${why(result)}`),
		`${passed} passed, ${failed} failed`,
	];
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}

function why(result: CaseResult): string {
	return result.ok ? "" : `: ${describeFailure(result)} (${result.file}:${result.line})`;
}

/** What was found in each cell, with a ! where something else is expected. */
function tableLines({ test, name, direction, columns, rows }: TableResult): string[] {
	const grid = [
		["", ...columns],
		...rows.map(({ label, cells }) => [label, ...cells.map((cell) => (cell === null ? "-" : sign(cell)))]),
	];
	const widths = ["", ...columns].map((_, index) => Math.max(...grid.map((row) => row[index]?.length ?? 0)));
	const lines = grid.map((row) => row.map((text, index) => text.padEnd(widths[index] ?? 0)).join("  "));
	return [
		`${test}: ${name} (${direction}; . Allow, X Block, A Audit, ! not as expected)`,
		...lines.map((line) => `  ${line.trimEnd()}`),
	];
}

function sign({ actual, ok }: CaseResult): string {
	return `${signs[actual]}${ok ? "" : "!"}`;
}

export function coverageText({ rules }: TestRun, undecided: readonly string[]): string {
	if (undecided.length === 0) return `Some case decides each of ${plural(rules.size, "rule")}.\n`;
	const lines = undecided.map((rule) => `  ${rule}`);
	return `No case decides ${undecided.length} of ${plural(rules.size, "rule")}:\n${lines.map(escapeForTerminal).join("\n")}\n`;
}

/** What real packets said. */
export function probeText({ agreed, disagreements, forms, skipped }: ProbeReport): string {
	const by = ({ action, policy }: Outcome) =>
		`${action} ${policy === null ? "as no rule matches" : `by ${policy}`}`;
	const lines = [
		...disagreements.map(
			({ test, name, form, model, kernel, file, line }) =>
				`DISAGREES  ${test}: ${name}: the model says ${by(model)}, this kernel ${by(kernel)} (${form}; ${file}:${line})`,
		),
		...skipped.map(({ test, name, reason }) => `not probed  ${test}: ${name}: ${reason}`),
		`this kernel and the model agree about ${plural(agreed, "packet")} and disagree about ${disagreements.length} (${forms.join(", ") || "no form of ruleset"})`,
	];
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
