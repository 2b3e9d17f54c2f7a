/** The canonical form of a policy file, proved to mean the same. */

import type { Diagnostic } from "../base/diagnostic.ts";
import { type Formatted, formatDocuments } from "../document/format.ts";
import { isBroken, type ParsedDocument } from "../document/parse.ts";
import { meaningText } from "./meaning.ts";
import { parsePolicyFile } from "./parse.ts";
import { kindSchemas } from "./schemas.ts";

export type FormattedPolicy =
	| { readonly ok: true; readonly text: string }
	/** Errors of the file, or why it cannot be formatted. */
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

export function formatPolicy(file: string, text: string): FormattedPolicy {
	const { documents, syntaxBroken } = parsePolicyFile(file, text);
	if (syntaxBroken || documents.some(isBroken)) {
		const all = documents.flatMap(({ diagnostics }) => diagnostics);
		return { ok: false, diagnostics: all.filter(({ severity }) => severity === "error") };
	}
	const formatted = sameMeaning(file, documents, formatDocuments(text, kindSchemas, file.endsWith(".json")));
	if (formatted.ok) return formatted;
	const message = `the file is left as it is: ${formatted.reason}`;
	const place = { file, line: 1, column: 1, path: "" };
	const hint = "move what is unusual about it, such as a comment between a field and its value";
	return { ok: false, diagnostics: [{ ...place, severity: "error", code: "not-formatted", message, hint }] };
}

function sameMeaning(file: string, before: readonly ParsedDocument[], formatted: Formatted): Formatted {
	if (!formatted.ok) return formatted;
	const { documents: after } = parsePolicyFile(file, formatted.text);
	return meaning(before) === meaning(after)
		? formatted
		: { ok: false, reason: "its canonical form would not mean the same" };
}

/** What the policies mean, and of tests and other documents all that was read and found. */
function meaning(documents: readonly ParsedDocument[]): string {
	const policies = documents.flatMap(({ policy }) => policy ?? []);
	const rest = documents.map(({ kind, name, aside, diagnostics }) => [
		kind,
		name,
		aside ?? null,
		diagnostics.map(({ severity, code, path }) => `${severity} ${code} ${path}`).sort(),
	]);
	return `${meaningText(policies)}\n${JSON.stringify(rest, (key, value: unknown) => {
		if (key === "place" && typeof value === "object") return undefined;
		return typeof value === "bigint" ? String(value) : value;
	})}`;
}
