/**
 * From the text of one file to YAML documents with positions. A line that
 * starts with `---` or `...` ends a document wherever it stands (YAML 1.2.2
 * section 9.1.2), so the text is cut there first and every document is parsed
 * alone: an open quote or bracket cannot swallow the documents after it.
 */

import { Lexer, type ParsedNode, Parser } from "yaml";
import { printable } from "../base/suggest.ts";
import { BoundedComposer, type FoundProblem, TooManyProblems } from "./bounded-composer.ts";
import { parseJson } from "./json-nodes.ts";
import { parsePlainYaml } from "./plain-yaml.ts";

/** Bounds that keep one file from exhausting a root process. */
export const syntaxLimits = {
	/** UTF-16 units in a file. */
	fileLength: 16 * 1024 * 1024,
	/** Documents in a file. */
	documents: 10_000,
	/** Open collections at any point; a valid policy needs 10. */
	depth: 64,
	/**
	 * What the lexer finds in a file that is not JSON: words, signs, breaks, indentation. Each costs some 400 bytes until
	 * its document is read. An address block takes 10 to 14 of them.
	 */
	lexemes: 1_250_000,
	/** So many may be of any length. More have to be two characters on average, as they are in all that people mean. */
	denseLexemes: 250_000,
	/** Reasons why one document is not YAML, before reading it is given up. */
	problems: 100,
} as const;

/** What is left for a file, over all of its documents. */
export interface SyntaxBudget {
	lexemes: number;
}

export function syntaxBudget(): SyntaxBudget {
	return { lexemes: syntaxLimits.lexemes };
}

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
	return [...eachDocument(text)];
}

/** The same, one after the other: of a file with millions of markers nobody wants all. */
export function* eachDocument(text: string): Generator<Chunk, void, void> {
	let start = 0;
	let firstLine = 1;
	let opened = false;
	function* cut(end: number): Generator<Chunk, void, void> {
		const source = text.slice(start, end);
		if (source !== "") yield { source, firstLine };
		firstLine += countNewlines(source);
		start = end;
	}
	const marker = /(?:^|\n)(---|\.\.\.)(?=[ \t\r\n]|$)/g;
	for (let match = marker.exec(text); match !== null; match = marker.exec(text)) {
		const at = match.index + match[0].length - 3;
		if (match[1] === "---") {
			if (opened || !isPrelude(text.slice(start, at))) yield* cut(at);
			opened = true;
		} else {
			const lineEnd = text.indexOf("\n", at);
			yield* cut(lineEnd === -1 ? text.length : lineEnd + 1);
			opened = false;
			marker.lastIndex = Math.max(start - 1, at + 3);
		}
	}
	yield* cut(text.length);
}

function isPrelude(text: string): boolean {
	return text.split("\n").every((line) => preludeOnly.test(line));
}

function countNewlines(text: string): number {
	let count = 0;
	for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count++;
	return count;
}

/** Parses one document's text. Never throws, whatever the text. @param budget what its file has left */
export function parseSyntax(source: string, budget: SyntaxBudget = syntaxBudget()): Syntax {
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
	const json = parseJson(source, syntaxLimits.depth);
	if (json?.kind === "nodes") return { contents: json.contents, problems: [] };
	if (json !== null) return { contents: null, problems: [tooLarge(json.offset)] };
	const plain = parsePlainYaml(source);
	if (plain !== null && plain.lexemes <= budget.lexemes) {
		budget.lexemes -= plain.lexemes;
		return { contents: plain.contents, problems: [] };
	}
	return parseWithLibrary(source, budget);
}

/** The same by the YAML library alone. Never throws. */
export function parseWithLibrary(source: string, budget: SyntaxBudget): Syntax {
	try {
		return compose(source, budget);
	} catch (error) {
		// The library faces hostile text here: its failure must stay this document's failure.
		const message = error instanceof Error ? error.message : String(error);
		return { contents: null, problems: [syntaxError(0, message)] };
	}
}

function compose(source: string, budget: SyntaxBudget): Syntax {
	const parser = new Parser();
	const composer = new BoundedComposer(syntaxLimits.problems);
	const documents = [];
	let lexemes = 0;
	try {
		for (const lexeme of new Lexer().lex(source)) {
			lexemes += 1;
			if (lexemes > syntaxLimits.denseLexemes && parser.offset < 2 * lexemes) budget.lexemes = 0;
			budget.lexemes -= 1;
			if (budget.lexemes < 0) return { contents: null, problems: [tooLarge(parser.offset)] };
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
		documents.push(...composer.end(source.length));
	} catch (error) {
		if (!(error instanceof TooManyProblems)) throw error;
		return { contents: null, problems: ordered(composer.problems.map(ofLibrary)) };
	}
	const problems = composer.problems.map(ofLibrary);
	const [first, second] = documents;
	if (second?.contents) {
		problems.push(syntaxError(second.contents.range[0], "A second document starts without a line ---"));
	}
	return { contents: first?.contents ?? null, problems: ordered(problems) };
}

function ofLibrary({ pos, message }: FoundProblem): SyntaxProblem {
	return syntaxError(pos[0], message);
}

function ordered(problems: readonly SyntaxProblem[]): SyntaxProblem[] {
	return problems.toSorted((a, b) => a.offset - b.offset);
}

function tooLarge(offset: number): SyntaxProblem {
	const message = "the file has more words and signs than are read";
	return {
		offset,
		code: "file-too-complex",
		message,
		hint: "split it into several files, or write it as JSON",
	};
}

function syntaxError(offset: number, message: string): SyntaxProblem {
	return { offset, code: "yaml-syntax", message: `not valid YAML: ${printable(message)}`, hint: "" };
}
