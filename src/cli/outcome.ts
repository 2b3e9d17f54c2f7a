/** What --json gives where a command has no document of its own, or could not make it: what it said and found wrong. */

import type { Diagnostic } from "../base/diagnostic.ts";
import { type Command, exit, type Io, type Values } from "./command.ts";
import { prettyJson } from "./json.ts";

/** The option of every command that prints a document. */
export const jsonOption = { json: { type: "boolean" } } as const;

/** Whether a command line asks for JSON. */
export function asksJson(args: readonly string[]): boolean {
	const end = args.indexOf("--");
	return (end < 0 ? args : args.slice(0, end)).includes("--json");
}

/** Stands between a command and whoever reads it, and remembers. What goes to standard error still goes there. */
export class Outcome implements Io, Values {
	readonly #io: Io;
	readonly #messages: string[] = [];
	readonly #problems: string[] = [];
	readonly #diagnostics: Diagnostic[] = [];
	#fields: Readonly<Record<string, unknown>> = {};
	/** Words are kept back for the document. */
	#words = false;
	#answered = false;

	constructor(io: Io) {
		this.#io = io;
	}

	get errorColour(): boolean {
		return this.#io.errorColour;
	}

	get signal(): AbortSignal {
		return this.#io.signal;
	}

	get values(): Values {
		return this;
	}

	/** Whether the command has printed a document itself. */
	get answered(): boolean {
		return this.#answered;
	}

	/** From now on what is written to standard output is words. False where it was so before. */
	takeWords(): boolean {
		const first = !this.#words;
		this.#words = true;
		return first;
	}

	readonly out = (text: string): void => {
		if (this.#words) this.#messages.push(withoutEnd(text));
		else {
			this.#answered = true;
			this.#io.out(text);
		}
	};

	readonly error = (text: string): void => {
		this.#problems.push(withoutEnd(text).replace(/^portward: /, ""));
		this.#io.error(text);
	};

	diagnostics(found: readonly Diagnostic[], text: string): void {
		this.#diagnostics.push(...found);
		this.#io.error(text);
	}

	add(fields: Readonly<Record<string, unknown>>): void {
		this.#fields = { ...this.#fields, ...fields };
	}

	/** Prints the document. */
	print(code: number): void {
		const [messages, problems, diagnostics] = [this.#messages, this.#problems, this.#diagnostics];
		this.#answered = true;
		this.#io.out(prettyJson({ ok: code === exit.ok, messages, problems, diagnostics, ...this.#fields }));
	}
}

function withoutEnd(text: string): string {
	return text.replace(/\n$/, "");
}

/**
 * A command that tells in words what it did: with --json the words stand in a document, with what it gives as values.
 * Another command may run it as a part of its own; then the document is that one's.
 */
export function telling<More extends readonly unknown[]>(
	run: (args: readonly string[], io: Io, ...more: More) => Promise<number>,
): (args: readonly string[], io: Io, ...more: More) => ReturnType<Command["run"]> {
	return async (args, io, ...more) => {
		if (!asksJson(args)) return run(args, io, ...more);
		const outcome = io instanceof Outcome ? io : new Outcome(io);
		const own = outcome.takeWords();
		const code = await run(args, outcome, ...more);
		if (own) outcome.print(code);
		return code;
	};
}
