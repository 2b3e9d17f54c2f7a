/**
 * Several policies in one YAML document: a list, or `kind: List` as
 * `kubectl get -o yaml` prints it. Each element is a document of its own.
 */

import { isMap, isNode, isSeq, type ParsedNode, type YAMLMap } from "yaml";
import type { Kinds } from "./kind.ts";
import type { Chunk, Lines } from "./syntax.ts";

/** One element, and the text that gives the same when it is parsed alone. */
export interface Element {
	readonly node: ParsedNode;
	readonly chunk: Chunk;
}

/**
 * The elements of a document that is a list, or null when it is none. An
 * alias among them stands for nothing, since its anchor is no part of it.
 */
export function elementsOf(
	contents: ParsedNode,
	chunk: Chunk,
	lines: Lines,
	kinds: Kinds,
): readonly Element[] | null {
	const list: unknown =
		isMap(contents) && kinds.isList(textOfKind(contents)) ? contents.get("items", true) : contents;
	// A list of anything else is one document that is no policy.
	if (!isSeq(list) || !list.items.some(isMap)) return null;
	return list.items.flatMap((item) =>
		isParsed(item) ? [{ node: item, chunk: textOf(item, list.flow === true, chunk, lines) }] : [],
	);
}

function textOfKind(contents: YAMLMap): string | null {
	const kind: unknown = contents.get("kind");
	return typeof kind === "string" ? kind : null;
}

function isParsed(node: unknown): node is ParsedNode {
	return isNode(node) && Array.isArray(node.range);
}

/** In block style the lines after the first are indented, so the first gets the same indentation. */
function textOf(node: ParsedNode, flow: boolean, chunk: Chunk, lines: Lines): Chunk {
	const [start, valueEnd, nodeEnd] = node.range;
	const { line, column } = lines.locate(start);
	const text = chunk.source.slice(start, flow ? valueEnd : nodeEnd);
	return { source: flow ? text : " ".repeat(column - 1) + text, firstLine: line };
}
