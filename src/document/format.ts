/**
 * One canonical form of a file of documents: block style, fields in the order of their schemas, quotes only where they
 * are needed. Comments stay, each with what it stands before or behind.
 */

import {
	Document,
	isAlias,
	isCollection,
	isMap,
	isNode,
	isPair,
	isScalar,
	isSeq,
	Lexer,
	type Node,
	parseDocument,
	Scalar,
	type ToStringOptions,
	visit,
	type YAMLMap,
} from "yaml";
import type { JsonSchema } from "./json-schema.ts";
import { splitDocuments } from "./syntax.ts";

export type Formatted =
	| { readonly ok: true; readonly text: string }
	/** Nothing that is written in it is lost by not formatting it. */
	| { readonly ok: false; readonly reason: string };

/** Schemas by kind; their properties stand in the order that is wanted. */
export type Schemas = Readonly<Record<string, JsonSchema>>;

const style: ToStringOptions = { indentSeq: false, lineWidth: 0, flowCollectionPadding: false };

/** What tools of YAML 1.1 read otherwise gets quotes, as `on` and `0777`. */
const reading = { compat: "yaml-1.1", logLevel: "silent", prettyErrors: false } as const;

/** Brackets around more characters than this are written as a block. */
const widest = 120;

/** Texts that settle after more rounds than this are left as they are. */
const mostRounds = 4;

/** @param json the file is to stay JSON, where it is. */
export function formatDocuments(text: string, schemas: Schemas, json: boolean): Formatted {
	const source = text.replace(/^\ufeff/u, "").replaceAll("\r\n", "\n");
	if (json && isJson(source)) return { ok: true, text: formatJson(source, schemas) };
	let now = source;
	for (let round = 0; round < mostRounds; round++) {
		const next = formatOnce(now, schemas);
		if (typeof next !== "string") return next;
		if (next !== now) {
			now = next;
			continue;
		}
		if (sortedComments(source) !== sortedComments(now))
			return { ok: false, reason: "a comment in it has no place in the canonical form" };
		return { ok: true, text: now };
	}
	return { ok: false, reason: "its comments have no settled place in the canonical form" };
}

function isJson(source: string): boolean {
	try {
		JSON.parse(source);
		return true;
	} catch {
		return false;
	}
}

function formatJson(source: string, schemas: Schemas): string {
	const document = parseDocument(source, reading);
	order(document.contents, schemas);
	return `${JSON.stringify(document.toJS(), null, 2)}\n`;
}

function formatOnce(source: string, schemas: Schemas): string | Extract<Formatted, { ok: false }> {
	let out = "";
	let opened = false;
	for (const chunk of splitDocuments(source)) {
		const document = parseDocument(chunk.source, reading);
		const [error] = document.errors;
		if (error !== undefined) return { ok: false, reason: error.message };
		const { contents } = document;
		const empty = contents === null || (isScalar(contents) && contents.value === null && !contents.source);
		if (empty) {
			// Nothing but comments: they go to the end of the document before, or to the beginning.
			out += commentsOf(chunk.source)
				.map((comment) => `${comment}\n`)
				.join("");
			continue;
		}
		canonical(document, schemas);
		document.directives.docStart = opened ? true : document.directives.yaml.explicit === true || null;
		document.directives.docEnd = false;
		out += document.toString(style);
		opened = true;
	}
	return out;
}

function canonical(document: Document, schemas: Schemas): void {
	let anchored = false;
	// JSON is brackets throughout, which say nothing about what somebody wanted to see on one line.
	const inBrackets = isCollection(document.contents) && document.contents.flow === true;
	visit(document, {
		Node(_key, node) {
			if (isAlias(node) || node.anchor !== undefined) anchored = true;
			if (isScalar(node)) unquote(node);
			else if (isCollection(node) && node.flow === true && (inBrackets || !fitsALine(node)))
				node.flow = false;
		},
	});
	// An anchor has to stand before what refers to it.
	if (!anchored) order(document.contents, schemas);
}

function unquote(scalar: Scalar): void {
	const quoted = scalar.type === Scalar.QUOTE_DOUBLE || scalar.type === Scalar.QUOTE_SINGLE;
	if (quoted && typeof scalar.value === "string" && !scalar.value.includes("\n")) scalar.type = Scalar.PLAIN;
}

function fitsALine(node: Node): boolean {
	const alone = new Document(null, reading);
	alone.contents = node as never;
	const text = alone.toString({ ...style, verifyAliasOrder: false }).trimEnd();
	return text.length <= widest && !text.includes("\n");
}

/** Puts the fields of documents, of a list's elements as well, in the order of their kinds' schemas. */
function order(root: unknown, schemas: Schemas): void {
	if (isSeq(root)) for (const item of root.items) order(item, schemas);
	if (!isMap(root)) return;
	const kind: unknown = root.get("kind");
	const items: unknown = root.get("items");
	const schema = typeof kind === "string" && Object.hasOwn(schemas, kind) ? schemas[kind] : undefined;
	if (schema !== undefined) orderBy(root, schema);
	else if (isSeq(items)) order(items, schemas);
}

function orderBy(node: unknown, schema: JsonSchema): void {
	const alternatives = [schema, ...((schema.anyOf as readonly JsonSchema[] | undefined) ?? [])];
	if (isSeq(node)) {
		const items = alternatives.find((one) => one.items !== undefined)?.items as JsonSchema | undefined;
		if (items !== undefined) for (const item of node.items) orderBy(item, items);
	}
	if (!isMap(node)) return;
	const properties = alternatives.find((one) => one.properties !== undefined)?.properties as
		| Schemas
		| undefined;
	if (properties === undefined) return;
	sortFields(node, Object.keys(properties));
	for (const { key, value } of node.items) {
		const inner = isScalar(key) ? properties[String(key.value)] : undefined;
		if (inner !== undefined) orderBy(value, inner);
	}
}

/** Fields that are not named come last, as they stand. */
function sortFields(map: YAMLMap, names: readonly string[]): void {
	const rank = ({ key }: YAMLMap["items"][number]) => {
		const found = isScalar(key) ? names.indexOf(String(key.value)) : -1;
		return found < 0 ? names.length : found;
	};
	const sorted = map.items.toSorted((a, b) => rank(a) - rank(b));
	if (sorted.every((pair, i) => pair === map.items[i])) return;
	// What stands before the first field goes with it.
	const [first] = map.items;
	if (isPair(first) && isNode(first.key) && map.commentBefore) {
		first.key.commentBefore = [map.commentBefore, first.key.commentBefore].filter(Boolean).join("\n");
		map.commentBefore = null;
	}
	const [now] = sorted;
	if (isPair(now) && isNode(now.key)) now.key.spaceBefore = false;
	map.items = sorted;
}

function sortedComments(text: string): string {
	return commentsOf(text).sort().join("\n");
}

function commentsOf(text: string): string[] {
	const comments: string[] = [];
	let before = "";
	for (const lexeme of new Lexer().lex(text)) {
		// A scalar is announced by this sign, and may begin with # as well.
		if (lexeme.startsWith("#") && before !== "\x1f") comments.push(lexeme.trimEnd());
		before = lexeme;
	}
	return comments;
}
