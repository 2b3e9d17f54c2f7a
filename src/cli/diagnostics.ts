/** Prints diagnostics for people, in the form that editors and terminals can jump to. */

import type { Diagnostic } from "../base/diagnostic.ts";
import { escapeForTerminal } from "../base/terminal.ts";
import type { Io } from "./command.ts";

const colours = { error: "\x1b[31m", warning: "\x1b[33m" } as const;
const reset = "\x1b[0m";

/** `file:line:column: severity: message [code]`, then the field's path and what to write instead. */
export function formatDiagnostic(diagnostic: Diagnostic, colour: boolean): string {
	const { file, line, column, path, severity, code, message, hint } = diagnostic;
	const label = colour ? `${colours[severity]}${severity}${reset}` : severity;
	const head = `${escapeForTerminal(file)}:${line}:${column}: ${label}: ${escapeForTerminal(message)} [${code}]\n`;
	const field = path === "" ? "" : `    field: ${escapeForTerminal(path)}\n`;
	return head + field + (hint === "" ? "" : `    hint: ${escapeForTerminal(hint)}\n`);
}

/** Writes them to stderr, errors and warnings in the order of their places. */
export function printDiagnostics(diagnostics: readonly Diagnostic[], io: Io): void {
	const ordered = sorted(diagnostics);
	const text = ordered.map((diagnostic) => formatDiagnostic(diagnostic, io.errorColour)).join("");
	if (text === "") return;
	if (io.values === undefined) io.error(text);
	else io.values.diagnostics(ordered, text);
}

export function sorted(diagnostics: readonly Diagnostic[]): Diagnostic[] {
	return diagnostics.toSorted(
		(a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column,
	);
}

/** "1 error", "2 errors". */
export function plural(count: number, noun: string): string {
	return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
