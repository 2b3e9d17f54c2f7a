/** Annotations that mean something here; all others are their tools' own. */

import {
	isAlias,
	isMap,
	isNode,
	isScalar,
	isSeq,
	type Node,
	type Pair,
	parseAllDocuments,
	type YAMLMap,
} from "yaml";
import { quote } from "../base/suggest.ts";
import { type JsonSchema, optional } from "./json-schema.ts";
import type { Field, Fields, NodeReader } from "./nodes.ts";

/** What our annotations begin with. */
const prefix = "portward.io/";

export type OurAnnotation = `${typeof prefix}${string}`;

/** Our annotations of one document. One of ours that is not known is reported: it would be believed to hold. */
export class Annotations {
	readonly #reader: NodeReader;
	readonly #found = new Map<string, Field>();

	/** @param fields the document's, @param known those that its kind has */
	constructor(reader: NodeReader, fields: Fields, known: readonly OurAnnotation[]) {
		this.#reader = reader;
		const names = new Set<string>(known);
		for (const [key, field] of annotations(reader, fields)) {
			if (!key.startsWith(prefix)) continue;
			if (this.#found.has(key)) {
				const message = `${quote(key)} is written twice`;
				reader.error(field.key, field.path, "duplicate-field", message, "keep one of them");
			} else if (!names.has(key)) {
				const message = `${quote(key)} is no annotation of portward's`;
				const hint = `write ${known.join(" or ")}, or leave it out`;
				reader.error(field.key, field.path, "unknown-annotation", message, hint);
			}
			this.#found.set(key, field);
		}
	}

	/** Null where the document has none of this name, or one that is not of `values`, which is reported. */
	value<Value extends string>(name: OurAnnotation, values: readonly Value[]): Value | null {
		const reader = this.#reader;
		const field = this.#found.get(name);
		const found = field === undefined ? null : reader.present(new Map([[name, field]]), name);
		const text = found && reader.text(found.node, found.path);
		if (found === null || text === null) return null;
		const value = values.find((known) => known === text);
		if (value !== undefined) return value;
		const message = `${quote(text)} is not a value of ${name}`;
		const hint = `write ${values.slice(0, -1).join(", ")} or ${values.at(-1)}, in lower case`;
		reader.error(found.node, found.path, "bad-annotation", message, hint);
		return null;
	}
}

/** Those of a document; none where metadata or annotations are no mappings. */
function annotations(reader: NodeReader, fields: Fields): (readonly [string, Field])[] {
	const silently = () => undefined;
	const metadata = reader.present(fields, "metadata", silently);
	const field = metadata && entriesOf(metadata.node, metadata.path).find(([key]) => key === "annotations");
	const found = field && reader.present(new Map([field]), "annotations", silently);
	return found ? entriesOf(found.node, found.path) : [];
}

function entriesOf(node: Node, path: Field["path"]): (readonly [string, Field])[] {
	if (!isMap(node)) return [];
	return node.items.flatMap(({ key, value }: Pair) => {
		if (!isScalar(key) || typeof key.value !== "string") return [];
		const own = { parent: path, key: key.value };
		return [[key.value, { key, node: isNode(value) ? value : null, path: own }] as const];
	});
}

/** Whether a policy is in force, or is only judged beside those that are. */
export const modeAnnotation = "portward.io/mode";

const modes = ["staged", "enforced"] as const;

/** What goes into a policy's head: nothing where it is enforced, as it is where it does not say. */
export function readMode(annotations: Annotations): { readonly staged?: true } {
	return annotations.value(modeAnnotation, modes) === "staged" ? { staged: true } : {};
}

/** The annotation's property in the schema of a document's annotations. */
export const modeSchema: Readonly<Record<string, JsonSchema>> = {
	[modeAnnotation]: optional({ enum: modes }),
};

interface Cut {
	readonly from: number;
	readonly to: number;
	readonly by: string;
}

/** The text of a file in which these policies, which are staged in it, are enforced, as far as the annotation is found. */
export function enforcing(source: string, names: ReadonlySet<string>): string {
	const cuts: Cut[] = [];
	for (const document of parseAllDocuments(source, { logLevel: "silent", prettyErrors: false })) {
		const items = isMap(document.contents) ? document.contents.get("items") : null;
		for (const map of isSeq(items) ? items.items : [document.contents]) {
			const cut = isMap(map) ? cutOf(map, source, names) : null;
			if (cut !== null) cuts.push(cut);
		}
	}
	return cuts
		.toSorted((a, b) => b.from - a.from)
		.reduce((text, { from, to, by }) => text.slice(0, from) + by + text.slice(to), source);
}

function pairOf(map: unknown, key: string): Pair | null {
	if (!isMap(map)) return null;
	return map.items.find((pair) => isScalar(pair.key) && pair.key.value === key) ?? null;
}

/** What has to be cut out of a document, or replaced in it; null where it is none of these policies. */
function cutOf(document: YAMLMap, source: string, names: ReadonlySet<string>): Cut | null {
	const metadata = pairOf(document, "metadata")?.value;
	const name = pairOf(metadata, "name")?.value;
	const holder = pairOf(metadata, "annotations");
	const pair = pairOf(holder?.value, modeAnnotation);
	if (!isScalar(name) || !names.has(String(name.value)) || pair === null || holder === null) return null;
	const value = isAlias(pair.value) || !isScalar(pair.value) ? null : pair.value;
	const [start, end] = [isScalar(pair.key) ? pair.key.range?.[0] : undefined, value?.range?.[1]];
	const valueStart = value?.range?.[0];
	if (start === undefined || end === undefined || valueStart === undefined) return null;
	const line = wholeLines(source, start, end);
	const alone = isMap(holder.value) && holder.value.items.length === 1;
	const head = isScalar(holder.key) ? holder.key.range?.[0] : undefined;
	if (line !== null && !alone) return line;
	if (line !== null && head !== undefined) {
		const above = wholeLines(source, head, head + "annotations:".length);
		// With nothing between the two lines both go.
		if (above !== null && above.to === line.from) return { from: above.from, to: line.to, by: "" };
	}
	const quote = /^["']/.exec(source.slice(valueStart))?.[0] ?? "";
	return { from: valueStart, to: end, by: `${quote}enforced${quote}` };
}

/** The lines of a stretch, where they hold nothing else; null where they do. */
function wholeLines(source: string, start: number, end: number): Cut | null {
	const from = source.lastIndexOf("\n", start - 1) + 1;
	const next = source.indexOf("\n", end);
	const to = next < 0 ? source.length : next + 1;
	const around = source.slice(from, start) + source.slice(end, to);
	return around.trim() === "" ? { from, to, by: "" } : null;
}
