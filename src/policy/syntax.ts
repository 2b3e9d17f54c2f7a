/**
 * From the text of one file to YAML documents with positions. A line that
 * starts with `---` or `...` ends a document wherever it stands (YAML 1.2.2
 * section 9.1.2), so the text is cut there first and every document is parsed
 * alone: an open quote or bracket cannot swallow the documents after it.
 */

import { Composer, Lexer, type ParsedNode, Parser } from "yaml";
import { printable } from "./suggest.ts";

/** Bounds that keep one file from exhausting a root process. */
export const syntaxLimits = {
	/** UTF-16 units in a file: room for about 300 000 address blocks. */
	fileLength: 16 * 1024 * 1024,
	/** Documents in a file. */
	documents: 10_000,
	/** Open collections at any point; a valid policy needs 10. */
	depth: 64,
} as const;

/** The text of one document and where it starts; enough to parse it alone later. */
export interface Chunk {
	readonly source: string;
	/** Line of the file, from 1, on which `source` starts. */
	readonly firstLine: number;
}

/** A reason why a document is not YAML, at an offset of its source. */
export interface SyntaxProblem {
	readonly offset: number;
	readonly code: string;
	readonly message: string;
	readonly hint: string;
}

/** `contents` is null for a document without content, such as comments only. */
export interface Syntax {
	readonly contents: ParsedNode | null;
	readonly problems: readonly SyntaxProblem[];
}

/** Line and column, both from 1, of offsets in a chunk. Columns count UTF-16 units. */
export class Lines {
	private readonly starts: number[] = [0];

	constructor(private readonly chunk: Chunk) {
		for (let at = chunk.source.indexOf("\n"); at !== -1; at = chunk.source.indexOf("\n", at + 1)) {
			this.starts.push(at + 1);
		}
	}

	locate(offset: number): { line: number; column: number } {
		let low = 0;
		let high = this.starts.length - 1;
		while (low < high) {
			const middle = (low + high + 1) >> 1;
			if ((this.starts[middle] ?? 0) <= offset) low = middle;
			else high = middle - 1;
		}
		return { line: this.chunk.firstLine + low, column: offset - (this.starts[low] ?? 0) + 1 };
	}
}

/** Only comments, blank lines and directives: what may stand before a document's `---`. */
const preludeOnly = /^(?:[ \t\r]*(?:#[^\n]*)?(?:\n|$)|%[^\n]*(?:\n|$))*$/;

/** Cuts a file into its documents; the chunks joined are the text. */
export function splitDocuments(text: string): Chunk[] {
	const chunks: Chunk[] = [];
	let start = 0;
	let firstLine = 1;
	let opened = false;
	const cut = (end: number): void => {
		const source = text.slice(start, end);
		if (source !== "") chunks.push({ source, firstLine });
		firstLine += countNewlines(source);
		start = end;
	};
	const marker = /(?:^|\n)(---|\.\.\.)(?=[ \t\r\n]|$)/g;
	for (let match = marker.exec(text); match !== null; match = marker.exec(text)) {
		const at = match.index + match[0].length - 3;
		if (match[1] === "---") {
			if (opened || !isPrelude(text.slice(start, at))) cut(at);
			opened = true;
		} else {
			const lineEnd = text.indexOf("\n", at);
			cut(lineEnd === -1 ? text.length : lineEnd + 1);
			opened = false;
			marker.lastIndex = Math.max(start - 1, at + 3);
		}
	}
	cut(text.length);
	return chunks;
}

function isPrelude(text: string): boolean {
	return text.split("\n").every((line) => preludeOnly.test(line));
}

function countNewlines(text: string): number {
	let count = 0;
	for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count++;
	return count;
}

/** Parses one document's text. Never throws, whatever the text. */
export function parseSyntax(source: string): Syntax {
	const bad = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffd]/.exec(source);
	if (bad !== null) {
		const problem = {
			offset: bad.index,
			code: "not-text",
			message: "the file is not UTF-8 text, or it contains a control character",
			hint: "save it as UTF-8 without control characters",
		};
		return { contents: null, problems: [problem] };
	}
	try {
		return compose(source);
	} catch (error) {
		// The library faces hostile text here: its failure must stay this document's failure.
		const message = error instanceof Error ? error.message : String(error);
		return { contents: null, problems: [syntaxError(0, message)] };
	}
}

function compose(source: string): Syntax {
	const problems: SyntaxProblem[] = [];
	const parser = new Parser();
	// Duplicate keys are found by the field reader in linear time; the library's check is quadratic.
	const composer = new Composer({ uniqueKeys: false, prettyErrors: false, stringKeys: false });
	const documents = [];
	for (const lexeme of new Lexer().lex(source)) {
		for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
		// The composer recurses, so the depth is bounded before it sees the document.
		if (parser.stack.length > syntaxLimits.depth) {
			const message = `the document nests deeper than ${syntaxLimits.depth} levels`;
			const hint = "a policy needs about ten levels: look for a stray bracket or dash";
			return { contents: null, problems: [{ offset: parser.offset, code: "too-deep", message, hint }] };
		}
	}
	for (const token of parser.end()) documents.push(...composer.next(token));
	// Forced, so that directives without a document are an error and not an empty file.
	documents.push(...composer.end(true, source.length));
	const [first, second] = documents;
	for (const document of documents) {
		for (const error of document.errors) problems.push(syntaxError(error.pos[0], error.message));
		for (const warning of document.warnings) problems.push(syntaxError(warning.pos[0], warning.message));
	}
	for (const error of composer.streamInfo().errors) problems.push(syntaxError(error.pos[0], error.message));
	if (second?.contents) {
		problems.push(syntaxError(second.contents.range[0], "A second document starts without a line ---"));
	}
	problems.sort((a, b) => a.offset - b.offset);
	return { contents: first?.contents ?? null, problems };
}

function syntaxError(offset: number, message: string): SyntaxProblem {
	return { offset, code: "yaml-syntax", message: `not valid YAML: ${printable(message)}`, hint: "" };
}
