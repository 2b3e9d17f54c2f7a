/** Annotations that mean something here; all others are their tools' own. */

import { isMap, isNode, isScalar, type Node, type Pair } from "yaml";
import { quote } from "../base/suggest.ts";
import type { Field, Fields, NodeReader } from "./nodes.ts";

/** What our annotations begin with. */
const prefix = "portward.io/";

/**
 * The value of an annotation of the document whose fields these are; null where it has none, or one that is not of
 * `values`, which is reported. So is one of ours that is not `name`: it would be believed to hold.
 */
export function readAnnotation<Value extends string>(
	reader: NodeReader,
	fields: Fields,
	name: `${typeof prefix}${string}`,
	values: readonly Value[],
): Value | null {
	let found: { node: Node; path: Field["path"] } | null = null;
	const seen = new Set<string>();
	for (const [key, field] of annotations(reader, fields)) {
		if (!key.startsWith(prefix)) continue;
		if (seen.has(key)) {
			const message = `${quote(key)} is written twice`;
			reader.error(field.key, field.path, "duplicate-field", message, "keep one of them");
		} else if (key !== name) {
			const message = `${quote(key)} is no annotation of portward's`;
			reader.error(field.key, field.path, "unknown-annotation", message, `write ${name}, or leave it out`);
		} else found = reader.present(new Map([[key, field]]), key);
		seen.add(key);
	}
	const text = found && reader.text(found.node, found.path);
	if (found === null || text === null) return null;
	const value = values.find((known) => known === text);
	if (value !== undefined) return value;
	const message = `${quote(text)} is not a value of ${name}`;
	const hint = `write ${values.slice(0, -1).join(", ")} or ${values.at(-1)}, in lower case`;
	reader.error(found.node, found.path, "bad-annotation", message, hint);
	return null;
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
