/**
 * From the text of one policy file to its documents, each with its policy or
 * with what is wrong. Documents are independent: whatever one contains, the
 * others mean the same. Nothing here throws, whatever the text.
 */

import { isMap, isScalar, type Node, type ParsedNode } from "yaml";
import type { Diagnostic, Place } from "../base/diagnostic.ts";
import { quote, suggest } from "../base/suggest.ts";
import { elementsOf } from "./document-list.ts";
import { isForeign, otherPolicy } from "./foreign.ts";
import type { AsideKind, Kinds, Policy } from "./kind.ts";
import { isPolicyName } from "./metadata.ts";
import { NodeReader } from "./nodes.ts";
import {
	type Chunk,
	eachDocument,
	Lines,
	parseSyntax,
	type SyntaxBudget,
	type SyntaxProblem,
	syntaxBudget,
	syntaxLimits,
} from "./syntax.ts";
import { explainTemplates, findBareTemplate, unrendered } from "./template.ts";

/** One document of a file. It is broken exactly when a diagnostic is an error. */
export interface ParsedDocument {
	/** Position among the file's documents that have content, from 0. */
	readonly index: number;
	/** Where the content starts. */
	readonly place: Place;
	/** The document's own text: parseOneDocument reads it alone. */
	readonly source: string;
	/** The line of the file, from 1, on which `source` starts. */
	readonly firstLine: number;
	/** Null when it cannot be told, also in a broken document. */
	readonly kind: string | null;
	readonly name: string | null;
	/** Null when broken, and for kinds that are accepted but not enforced. */
	readonly policy: Policy | null;
	/** What a document says that is no policy, to its kind; absent in policies. */
	readonly aside?: unknown;
	readonly diagnostics: readonly Diagnostic[];
}

/** What a document of this kind says: nothing where it is another, or broken. */
export function asideOf<Content>({ name }: AsideKind<Content>, { kind, aside }: ParsedDocument): Content[] {
	// What is there is what the kind's own reader gave.
	return kind === name && aside !== undefined ? [aside as Content] : [];
}

export interface ParsedFile {
	readonly documents: readonly ParsedDocument[];
	/** Documents may be missing from the list: absence is no proof of deletion. */
	readonly syntaxBroken: boolean;
}

/** Whether a document has an error, as opposed to warnings or none. */
export function isBroken(document: ParsedDocument): boolean {
	return document.diagnostics.some((diagnostic) => diagnostic.severity === "error");
}

export interface ParseOptions {
	/** Documents of other products are passed over, as if they were not there. */
	readonly ignoreUnknownKinds: boolean;
}

/** Parses a YAML or JSON policy file. `file` is only the name that places carry. */
export function parseDocuments(
	file: string,
	text: string,
	kinds: Kinds,
	options: ParseOptions = { ignoreUnknownKinds: false },
): ParsedFile {
	if (text.trim() === "") {
		const hint = "write a policy, or delete the file to remove its policies";
		return brokenFile(file, "empty-file", "the file is empty", hint);
	}
	if (text.length > syntaxLimits.fileLength) {
		const megabytes = syntaxLimits.fileLength / 1024 / 1024;
		return brokenFile(
			file,
			"file-too-large",
			`the file is larger than ${megabytes} MiB`,
			"split it into several files",
		);
	}
	const documents: ParsedDocument[] = [];
	const tooMany = (line: number): ParsedFile => {
		const message = `the file has more than ${syntaxLimits.documents} documents`;
		const at = { line, index: documents.length };
		const extra = brokenFile(file, "too-many-documents", message, "split it into several files", at);
		return { documents: [...documents, ...extra.documents], syntaxBroken: true };
	};
	const budget = syntaxBudget();
	let chunks = 0;
	for (const chunk of eachDocument(text.startsWith("\ufeff") ? text.slice(1) : text)) {
		// Empty ones are no documents, but there may be millions.
		chunks += 1;
		if (chunks > 2 * syntaxLimits.documents) return tooMany(chunk.firstLine);
		const found = parseChunk(file, chunk, documents.length, kinds, options, budget);
		const room = syntaxLimits.documents - documents.length;
		for (const document of found.slice(0, room)) documents.push(document);
		const first = found[room];
		if (first !== undefined) return tooMany(first.place.line);
		if (budget.lexemes < 0) return { documents, syntaxBroken: true };
	}
	const syntaxBroken = documents.some((document) => document.diagnostics.some(isSyntaxError));
	return { documents, syntaxBroken };
}

const syntaxCodes = new Set([
	"yaml-syntax",
	"missing-space",
	"not-text",
	"too-deep",
	"template",
	"file-too-complex",
]);

function isSyntaxError(diagnostic: Diagnostic): boolean {
	return syntaxCodes.has(diagnostic.code);
}

/**
 * Parses one document from the text that ParsedDocument keeps, with places in
 * the file as it was then. Null when the text has no content.
 */
export function parseOneDocument(
	file: string,
	source: string,
	firstLine: number,
	index: number,
	kinds: Kinds,
): ParsedDocument | null {
	const chunk = { source, firstLine };
	return parseChunk(file, chunk, index, kinds, { ignoreUnknownKinds: false }, syntaxBudget())[0] ?? null;
}

function brokenFile(
	file: string,
	code: string,
	message: string,
	hint: string,
	at = { line: 1, index: 0 },
): ParsedFile {
	const place = { file, line: at.line, column: 1 };
	const document: ParsedDocument = {
		index: at.index,
		place,
		source: "",
		firstLine: place.line,
		kind: null,
		name: null,
		policy: null,
		diagnostics: [{ ...place, path: "", severity: "error", code, message, hint }],
	};
	return { documents: [document], syntaxBroken: true };
}

/** The documents of one YAML document: none where it has no content, several where it is a list. */
function parseChunk(
	file: string,
	chunk: Chunk,
	index: number,
	kinds: Kinds,
	options: ParseOptions,
	budget: SyntaxBudget,
): ParsedDocument[] {
	const { contents, problems } = parseSyntax(chunk.source, budget);
	const empty =
		contents === null || (isScalar(contents) && contents.value === null && contents.source === "");
	if (empty && problems.length === 0) return [];
	const lines = new Lines(chunk);
	if (contents === null || problems.length > 0)
		return [brokenDocument(new NodeReader(file, lines, contents), contents, chunk, index, problems)];
	const elements = elementsOf(contents, chunk, lines, kinds) ?? [{ node: contents, chunk }];
	return elements
		.filter(({ node }) => !(options.ignoreUnknownKinds && isForeign(node, kinds)))
		.slice(0, syntaxLimits.documents + 1)
		.map(({ node, chunk: own }, position) =>
			readDocument(new NodeReader(file, lines, node), node, own, index + position, kinds),
		);
}

/** What can be told of a document whatever it contains. */
function describeDocument(reader: NodeReader, contents: ParsedNode | null, chunk: Chunk, index: number) {
	return {
		index,
		place: reader.placeAt(contents?.range[0] ?? 0),
		source: chunk.source,
		firstLine: chunk.firstLine,
		...identify(contents),
	};
}

function brokenDocument(
	reader: NodeReader,
	contents: ParsedNode | null,
	chunk: Chunk,
	index: number,
	problems: readonly SyntaxProblem[],
): ParsedDocument {
	const base = describeDocument(reader, contents, chunk, index);
	const template = findBareTemplate(chunk.source);
	// What stands before the template has nothing to do with it.
	if (template !== null && problems.every(({ offset }) => offset >= template.line)) {
		const { message, hint } = unrendered(template.sign);
		reader.report("error", reader.placeAt(template.offset), null, "template", message, hint);
		return { ...base, policy: null, diagnostics: reader.diagnostics };
	}
	const spaceless = findMissingSpace(chunk.source);
	if (spaceless !== null) reportMissingSpace(reader, spaceless);
	for (const { offset, code, message, hint } of problems) {
		// What follows a glued colon confuses the parser; its own words about it would mislead.
		if (spaceless !== null && code === "yaml-syntax" && offset >= spaceless.lineStart) continue;
		reader.report("error", reader.placeAt(offset), null, code, message, hint);
	}
	return { ...base, policy: null, diagnostics: reader.diagnostics.toSorted(byPlace) };
}

function readDocument(
	reader: NodeReader,
	contents: ParsedNode,
	chunk: Chunk,
	index: number,
	kinds: Kinds,
): ParsedDocument {
	const base = describeDocument(reader, contents, chunk, index);
	// Places are those of the whole document, so only its own text can be searched.
	const spaceless =
		base.kind === null && contents.range[0] < chunk.source.length ? findMissingSpace(chunk.source) : null;
	if (spaceless !== null) reportMissingSpace(reader, spaceless);
	const kind = kinds.get(base.kind);
	if (kind?.role === "aside") {
		const aside = reader.failed ? null : kind.read(reader, contents);
		const diagnostics = explainTemplates(reader.diagnostics, chunk).toSorted(byPlace);
		return { ...base, policy: null, ...(aside === null ? {} : { aside }), diagnostics };
	}
	const policy = reader.failed ? null : readPolicy(reader, contents, base.kind, kinds);
	const lint = policy === null ? [] : (kind?.lint(policy) ?? []);
	const found = explainTemplates(reader.diagnostics, chunk);
	return { ...base, policy, diagnostics: [...found, ...lint].sort(byPlace) };
}

function reportMissingSpace(reader: NodeReader, { offset, message, hint }: MissingSpace): void {
	reader.report("error", reader.placeAt(offset), null, "missing-space", message, hint);
}

function byPlace(a: Place, b: Place): number {
	return a.line - b.line || a.column - b.column;
}

/** Fields whose value is easily glued to the colon, which makes YAML read one long word. */
const gluedField =
	/^[ \t-]*(apiVersion|kind|metadata|name|spec|action|severity|message|protocol|port|endPort|cidr):(?=[^\s/])/m;

interface MissingSpace {
	readonly offset: number;
	readonly lineStart: number;
	readonly message: string;
	readonly hint: string;
}

function findMissingSpace(source: string): MissingSpace | null {
	const match = gluedField.exec(source);
	if (match === null) return null;
	const line = source.slice(match.index).split("\n", 1)[0]?.trim() ?? "";
	return {
		offset: match.index + match[0].length - (match[1]?.length ?? 0) - 1,
		lineStart: match.index,
		message: `${quote(line)} has no space after the colon, so YAML does not see a field`,
		hint: `write ${match[1]}: and a space before the value`,
	};
}

/** Kind and name as far as they can be told, even from a broken document. */
function identify(contents: ParsedNode | null): { kind: string | null; name: string | null } {
	if (!isMap(contents)) return { kind: null, name: null };
	const kind = contents.get("kind");
	const metadata = contents.get("metadata");
	const name = isMap(metadata) ? metadata.get("name") : null;
	return {
		kind: typeof kind === "string" && /^[\x20-\x7e]{1,64}$/.test(kind) ? kind : null,
		name: typeof name === "string" && isPolicyName(name) ? name : null,
	};
}

function readPolicy(reader: NodeReader, root: Node, kind: string | null, kinds: Kinds): Policy | null {
	const other = otherPolicy(root);
	if (other !== null) {
		reader.error(root, { parent: null, key: "apiVersion" }, "other-policy", other.message, other.hint);
		return null;
	}
	const known = kinds.get(kind);
	if (known?.role === "policy") return known.read(reader, root);
	const kindPath = { parent: null, key: "kind" };
	const ignored = isForeign(root, kinds)
		? "; ignoreUnknownKinds: true in the settings passes over such files"
		: "";
	if (!isMap(root)) {
		reader.wrongType(root, null, "a policy (apiVersion, kind, metadata, spec)", root);
	} else if (kinds.isList(kind)) {
		const hint = "delete the file to remove its policies";
		reader.error(root, { parent: null, key: "items" }, "empty-list", "the list holds no policies", hint);
	} else if (kind === null) {
		const hint = `write kind: ${kinds.names[0]}${ignored}`;
		reader.error(root, kindPath, "missing-kind", "kind is missing", hint);
	} else {
		const value = root.get("kind", true) ?? root;
		const hint = `${suggest(kind, kinds.names, "kinds")}${ignored}`;
		reader.error(value, kindPath, "unknown-kind", `${quote(kind)} is not a kind of policy`, hint);
	}
	return null;
}
