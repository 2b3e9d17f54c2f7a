import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Diagnostic } from "../../base/diagnostic.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { formatPolicy } from "../../engine/format-policy.ts";
import { readBounded } from "../../source/bounded-file.ts";
import { maxFileBytes } from "../../source/policy-directory.ts";
import { isPolicyFile } from "../../source/policy-walk.ts";
import { replaceFile, type SeenFile } from "../../source/replace-file.ts";
import { type Command, exit, type Io } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOptions } from "../options.ts";
import { readStandardInput } from "../standard-input.ts";

const help = `Usage: portward fmt [PATH...] [--check] [--json]

Writes policies and tests in one canonical form: block style, fields in the
order of the reference, quotes only where they are needed. Comments stay.
Without a path, from standard input to standard output. Files of a directory
are those that portward would read. A file with errors, and one whose canonical
form would not mean the same, is left as it is. Format before you sign.

  --check  write nothing; name what would change
  --json   print {ok, files: [{file, changed, diagnostics}]}; of standard input
           with text, its canonical form

Exit codes: 0 done, 2 with --check something would change, 1 failure.
`;

/** Milliseconds that a pipe may be silent. */
const patienceMs = 10_000;

interface Outcome {
	readonly file: string;
	readonly changed: boolean;
	readonly diagnostics: readonly Diagnostic[];
}

export const fmt: Command = {
	name: "fmt",
	summary: "write policies in one canonical form",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(
			args,
			{
				check: { type: "boolean" },
				json: { type: "boolean" },
			},
			["file"],
		);
		const check = values.check === true;
		if (positionals.length === 0) return formatInput(check, values.json === true, io);
		const outcomes = positionals.flatMap(filesOf).map((file) => formatFile(file, check));
		const failed = outcomes.some(({ diagnostics }) => diagnostics.length > 0);
		const changed = outcomes.filter((outcome) => outcome.changed);
		if (values.json) io.out(prettyJson({ ok: !failed, files: outcomes }));
		else {
			printDiagnostics(
				outcomes.flatMap(({ diagnostics }) => diagnostics),
				io,
			);
			for (const { file } of changed) io.out(`${escapeForTerminal(file)}\n`);
		}
		return failed ? exit.failure : check && changed.length > 0 ? exit.changes : exit.ok;
	},
};

async function formatInput(check: boolean, json: boolean, io: Io): Promise<number> {
	const text = await readStandardInput(maxFileBytes, io.signal);
	if (text === null) {
		io.error("portward: what comes on standard input is too long\n");
		return exit.failure;
	}
	const file = "standard input";
	const formatted = formatPolicy(file, text);
	if (json) {
		const diagnostics = formatted.ok ? [] : formatted.diagnostics;
		const changed = formatted.ok && formatted.text !== text;
		const shown = formatted.ok && !check ? { text: formatted.text } : {};
		io.out(prettyJson({ ok: formatted.ok, files: [{ file, changed, diagnostics, ...shown }] }));
	} else if (!formatted.ok) printDiagnostics(formatted.diagnostics, io);
	else if (!check) io.out(formatted.text);
	if (!formatted.ok) return exit.failure;
	return check && formatted.text !== text ? exit.changes : exit.ok;
}

/** A path itself, or the policy files of a directory, in order. */
function filesOf(path: string): string[] {
	try {
		if (!statSync(path).isDirectory()) return [path];
	} catch {
		return [path];
	}
	return readdirSync(path, { withFileTypes: true })
		.toSorted((a, b) => (a.name < b.name ? -1 : 1))
		.flatMap((entry) => {
			if (entry.name.startsWith(".")) return [];
			const inside = join(path, entry.name);
			if (entry.isDirectory()) return filesOf(inside);
			return isPolicyFile(entry.name) ? [inside] : [];
		});
}

function formatFile(file: string, check: boolean): Outcome {
	const failed = (code: string, message: string): Outcome => {
		const place = { file, line: 1, column: 1, path: "" };
		return { file, changed: false, diagnostics: [{ ...place, severity: "error", code, message, hint: "" }] };
	};
	let text: string;
	let seen: SeenFile | null = null;
	try {
		const accept = (stats: SeenFile) => {
			seen = stats;
			return true;
		};
		const read = readBounded(file, { limit: maxFileBytes, patienceMs, accept });
		if (!read.ok) return failed("unreadable-file", "the file is too large, or nothing comes through it");
		text = read.text;
	} catch (error) {
		return failed("unreadable-file", error instanceof Error ? error.message : String(error));
	}
	const formatted = formatPolicy(file, text);
	if (!formatted.ok) return { file, changed: false, diagnostics: formatted.diagnostics };
	if (formatted.text === text) return { file, changed: false, diagnostics: [] };
	const problem = check || seen === null ? null : replaceFile(file, formatted.text, seen);
	return problem === null
		? { file, changed: true, diagnostics: [] }
		: failed("not-written", `the file could not be written: ${problem}`);
}
