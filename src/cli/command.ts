/** What a command gets from `src/main.ts`, and how it fails. */

import type { Diagnostic } from "../base/diagnostic.ts";

/**
 * Exit codes: 0 ok (warnings included), 1 failure, 2 neither: what `plan`, `diff`, `search`, `convert`, `fmt` and `doctor`
 * say in their help, 64 wrong usage (EX_USAGE of sysexits.h).
 */
export const exit = { ok: 0, failure: 1, changes: 2, usage: 64 } as const;

/** Takes as values what is told in words as well; with --json alone. */
export interface Values {
	/** `text`: the same for people. */
	diagnostics(found: readonly Diagnostic[], text: string): void;
	/** Further fields of the document. */
	add(fields: Readonly<Record<string, unknown>>): void;
}

export interface Io {
	/** Writes as it stands; the caller ends lines. */
	out(text: string): void;
	error(text: string): void;
	/** Whether stderr is somebody's terminal that wants colours. */
	readonly errorColour: boolean;
	/** Aborted on SIGINT and SIGTERM. */
	readonly signal: AbortSignal;
	readonly values?: Values;
}

export interface Command {
	readonly name: string;
	/** One line for `portward help`. */
	readonly summary: string;
	/** The text of `portward help NAME`. */
	readonly help: string;
	run(args: readonly string[], io: Io): Promise<number>;
}

/** Thrown by option parsing only and caught by `dispatch`: the one place where a failure has no file to point at. */
export class UsageError extends Error {}

/** Colours are for terminals, unless NO_COLOR (no-color.org) is set to anything or the terminal is dumb. */
export function wantsColour(
	isTerminal: boolean,
	environment: Readonly<Record<string, string | undefined>>,
): boolean {
	return isTerminal && (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb";
}
