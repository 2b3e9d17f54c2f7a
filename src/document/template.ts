/** Text of a template that nothing has rendered: Helm's `{{ .Values.x }}`, a shell's `${X}`. */

import type { Diagnostic } from "../base/diagnostic.ts";
import { quote } from "../base/suggest.ts";
import type { Chunk } from "./syntax.ts";

const marker = /\{\{[-~]?\s*[^\s{}]|\$\{[A-Za-z_][^}\n]{0,80}\}|<%[-=]?\s|\{%[-+]?\s*\w/;

const hint = "render it first (helm template, envsubst, kustomize build), and give what comes out";

/** A sign of a template, at an offset of a text; `line` is where its line starts. */
interface Template {
	readonly offset: number;
	readonly line: number;
	readonly sign: string;
}

/** Quoted text of one line, in which a sign of a template is text like any other to YAML. */
const quoted = /"[^"\n]*"|'[^'\n]*'/g;

/** The first sign of a template that is not in quotes, so that it can be what YAML stumbles over; null without one. */
export function findBareTemplate(text: string): Template | null {
	return findTemplate(text.replace(quoted, (part) => " ".repeat(part.length)));
}

/** The first sign of a template outside comments; null without one. */
function findTemplate(text: string): Template | null {
	let start = 0;
	for (const line of text.split("\n")) {
		const found = /^\s*#/.test(line) ? null : marker.exec(line);
		if (found !== null)
			return { offset: start + found.index, line: start, sign: line.slice(found.index).trim() };
		start += line.length + 1;
	}
	return null;
}

/** What to say about a sign of a template. */
export function unrendered(sign: string): { readonly message: string; readonly hint: string } {
	return { message: `a template that was not rendered: ${quote(sign)}`, hint };
}

/** What to say about a text with a sign of a template in it; null without one. */
export function describeTemplate(text: string): ReturnType<typeof unrendered> | null {
	const found = findTemplate(text);
	return found === null ? null : unrendered(found.sign);
}

/** Errors on lines with a sign of a template are about that, one for each line. */
export function explainTemplates(diagnostics: readonly Diagnostic[], chunk: Chunk): readonly Diagnostic[] {
	const broken = diagnostics.some(({ severity }) => severity === "error");
	if (!broken || findTemplate(chunk.source) === null) return diagnostics;
	const lines = chunk.source.split("\n");
	const explained = new Set<number>();
	return diagnostics.flatMap((diagnostic) => {
		const { line, severity } = diagnostic;
		const about = severity === "error" ? describeTemplate(lines[line - chunk.firstLine] ?? "") : null;
		if (about === null) return [diagnostic];
		if (explained.has(line)) return [];
		explained.add(line);
		return [{ ...diagnostic, code: "template", ...about }];
	});
}
