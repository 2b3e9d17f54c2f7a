/**
 * Reads typed values out of YAML nodes and reports what does not fit, with
 * places and paths. Every node is visited once, in the order that the schema
 * asks for, so large files cost what their nodes cost.
 */

import { isAlias, isMap, isScalar, isSeq, type Node, type Scalar, visit } from "yaml";
import type { Diagnostic, Place, Severity } from "../base/diagnostic.ts";
import { formatPath, type Path } from "../base/path.ts";
import { longestQuote, quote, suggest, visible } from "../base/suggest.ts";
import type { Lines } from "./syntax.ts";

/** Bounds on one document. */
export const documentLimits = {
	/** Findings that are reported. */
	diagnostics: 100,
	/** Uses of `*alias`; each may stand for a large anchor, so list elements are bounded as well. */
	aliases: 100,
	/** List elements read, aliases expanded. */
	elements: 350_000,
	/** UTF-16 units in one string value. */
	text: 4096,
} as const;

/** One field of a mapping; `node` is null when the key stands without a value. */
export interface Field {
	readonly node: Node | null;
	readonly key: Node;
	readonly path: Path;
}

/** One element of a list. An element without a value is a node too: isEmptyNode tells. */
export interface Item {
	readonly node: Node;
	readonly path: Path;
	readonly index: number;
}

export type Fields = ReadonlyMap<string, Field>;

/** Fields that exist elsewhere or in other products, with what to write instead. */
export type Remedies = Readonly<
	Record<string, { readonly code: string; readonly message: string; readonly hint: string }>
>;

export class NodeReader {
	readonly diagnostics: Diagnostic[] = [];
	failed = false;
	private anchors: Map<string, Node | null> | null = null;
	private aliasesLeft: number = documentLimits.aliases;
	private elementsLeft: number = documentLimits.elements;

	constructor(
		private readonly file: string,
		private readonly lines: Lines,
		private readonly root: Node | null,
	) {}

	/** The node that an anchor names; null when two nodes share the name. Collected at the first alias. */
	private anchored(name: string): Node | null {
		if (this.anchors === null) {
			const anchors = new Map<string, Node | null>();
			visit(this.root, (_key, node) => {
				if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) {
					anchors.set(node.anchor, anchors.has(node.anchor) ? null : node);
				}
			});
			this.anchors = anchors;
		}
		return this.anchors.get(name) ?? null;
	}

	place(node: Node | null): Place {
		return this.placeAt(node?.range?.[0] ?? 0);
	}

	placeAt(offset: number): Place {
		return { file: this.file, ...this.lines.locate(offset) };
	}

	error(node: Node | null, path: Path | null, code: string, message: string, hint: string): void {
		this.report("error", this.place(node), path, code, message, hint);
	}

	warn(node: Node | null, path: Path | null, code: string, message: string, hint: string): void {
		this.report("warning", this.place(node), path, code, message, hint);
	}

	report(
		severity: Severity,
		place: Place,
		path: Path | null,
		code: string,
		message: string,
		hint: string,
	): void {
		if (severity === "error") this.failed = true;
		const room = documentLimits.diagnostics - this.diagnostics.length;
		if (room <= 0) return;
		if (room === 1) {
			const more = "the document has more findings than are listed";
			this.diagnostics.push({
				...place,
				path: "",
				severity: "error",
				code: "too-many-findings",
				message: more,
				hint: "",
			});
			this.failed = true;
			return;
		}
		// Here and not where each is worded: what a file says stands in many of them.
		const words = { message: visible(message), hint: visible(hint) };
		this.diagnostics.push({ ...place, path: formatPath(path), severity, code, ...words });
	}

	/** The node itself, or what an alias stands for; null (reported) when the alias cannot be followed. */
	private follow(node: Node, path: Path): Node | null {
		if (!isAlias(node)) return node;
		this.aliasesLeft--;
		if (this.aliasesLeft < 0) {
			const message = `more than ${documentLimits.aliases} YAML aliases are used`;
			this.error(node, path, "too-many-aliases", message, "write the values out");
			return null;
		}
		const target = this.anchored(node.source);
		if (target === null) {
			const message = `${quote(`*${node.source}`)} does not name exactly one anchor`;
			this.error(node, path, "bad-alias", message, "write the value out");
		}
		return target;
	}

	/** The fields of a mapping, or null when it is none. Unknown and repeated keys are errors. */
	fields(node: Node, path: Path | null, known: readonly string[], remedies: Remedies = {}): Fields | null {
		const entries = this.entries(node, path);
		if (entries === null) return null;
		const fields = new Map<string, Field>();
		for (const [name, field] of entries) {
			if (known.includes(name)) {
				fields.set(name, field);
				continue;
			}
			const remedy = Object.hasOwn(remedies, name) ? remedies[name] : undefined;
			if (remedy !== undefined) this.error(field.key, field.path, remedy.code, remedy.message, remedy.hint);
			else
				this.error(
					field.key,
					field.path,
					"unknown-field",
					`unknown field ${quote(name)}`,
					suggest(name, known, "fields"),
				);
		}
		return fields;
	}

	/** Every key of a mapping with its value; keys are text and unique. */
	entries(node: Node, path: Path | null): ReadonlyMap<string, Field> | null {
		const target = this.follow(node, path ?? { parent: null, key: "" });
		if (target === null) return null;
		if (!isMap(target)) {
			const glued = isScalar(target) && typeof target.value === "string" && /^\w+:\S/.test(target.value);
			const hint = glued ? "write a space after the colon" : "";
			this.wrongType(node, path, "a mapping (field: value)", target, hint);
			return null;
		}
		const entries = new Map<string, Field>();
		for (const { key, value } of target.items) {
			const keyNode = isNode(key) ? key : target;
			if (!isScalar(key) || key.value === null || typeof key.value === "object") {
				this.error(
					keyNode,
					path,
					"bad-key",
					"a field name is not plain text",
					"write the name without brackets, as in role: database",
				);
				continue;
			}
			const name = typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
			const field = { key: keyNode, node: isNode(value) ? value : null, path: { parent: path, key: name } };
			if (name === "<<") {
				const message = "<< is YAML's merge key, and merge keys are not followed";
				this.error(keyNode, field.path, "unknown-field", message, "write the merged fields out");
				continue;
			}
			if (entries.has(name)) {
				this.error(
					keyNode,
					field.path,
					"duplicate-field",
					`${quote(name)} is written twice`,
					"keep one of them",
				);
			} else entries.set(name, field);
		}
		return entries;
	}

	/**
	 * The field's node, or null when it is absent. A key without a value counts
	 * as absent, with a warning, or what `empty` says: it is more often forgotten than meant.
	 */
	present(
		fields: Fields,
		name: string,
		empty: (field: Field) => void = (field) => this.warnOfEmpty(name, field),
	): { node: Node; path: Path } | null {
		const field = fields.get(name);
		if (field === undefined) return null;
		const node = field.node === null ? null : this.follow(field.node, field.path);
		if (node !== null && !isEmptyNode(node)) return { node, path: field.path };
		if (field.node === null || !isAlias(field.node) || node !== null) empty(field);
		return null;
	}

	private warnOfEmpty(name: string, { key, path }: Field): void {
		const message = `${name} is written without a value and counts as absent`;
		this.warn(key, path, "empty-field", message, "give it a value or leave it out");
	}

	/** The elements of a list with their paths; none (reported) when it is no list. */
	items(node: Node, path: Path, example: string): readonly Item[] {
		if (!isSeq(node)) {
			this.wrongType(node, path, "a list", node, `write a list, such as ${example}`);
			return [];
		}
		this.elementsLeft -= node.items.length;
		if (this.elementsLeft < 0) {
			const message = `the document has more than ${documentLimits.elements} list elements, aliases expanded`;
			this.error(node, path, "too-many-elements", message, "split the policy");
			return [];
		}
		const items: Item[] = [];
		for (const [index, item] of node.items.entries()) {
			const at: Path = { parent: path, key: index };
			const target = isNode(item) ? this.follow(item, at) : null;
			if (target !== null) items.push({ node: target, path: at, index });
		}
		return items;
	}

	/** A bounded string, or null when it is none. */
	text(node: Node | null, path: Path): string | null {
		if (node === null || !isScalar(node) || typeof node.value !== "string") {
			const source = node !== null && isScalar(node) && node.value !== null ? scalarSource(node) : "";
			let hint = source === "" ? "" : "put it in quotes";
			if (source !== "" && source.length <= longestQuote) hint += `: ${quote(source)}`;
			if (isSeq(node)) hint = "write one value without brackets";
			if (isTagged(node)) hint = "write the text itself, without the tag";
			this.wrongType(node, path, "text", node, hint);
			return null;
		}
		if (node.value.length > documentLimits.text) {
			this.error(
				node,
				path,
				"too-long",
				`the text is longer than ${documentLimits.text} characters`,
				"shorten it",
			);
			return null;
		}
		return node.value;
	}

	/** A decimal integer within [least, most], or null. */
	integer(node: Node, path: Path, least: number, most: number): number | null {
		const source = isScalar(node) && typeof node.value === "number" ? scalarSource(node) : "";
		if (!isScalar(node) || typeof node.value !== "number") {
			const bare = isScalar(node) && typeof node.value === "string" && /^\d{1,9}$/.test(node.value);
			this.wrongType(node, path, "a number", node, bare ? `write ${String(node.value)} without quotes` : "");
			return null;
		}
		const value = /^(0|[1-9]\d{0,8})$/.test(source) ? Number(source) : Number.NaN;
		if (value >= least && value <= most) return value;
		const message = `${quote(source)} is not a whole decimal number from ${least} to ${most}`;
		this.error(node, path, "out-of-range", message, `write a number from ${least} to ${most}`);
		return null;
	}

	/** The text of a list of strings; elements that are none are reported and left out. */
	texts(node: Node, path: Path, example: string): readonly string[] {
		const texts: string[] = [];
		for (const item of this.items(node, path, example)) {
			const text = this.text(item.node, item.path);
			if (text !== null) texts.push(text);
		}
		return texts;
	}

	wrongType(at: Node | null, path: Path | null, expected: string, found: Node | null, hint = ""): void {
		this.error(at, path, "wrong-type", `expected ${expected}, found ${describe(found)}`, hint);
	}
}

function isNode(value: unknown): value is Node {
	return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

/** `~`, `null` or nothing at all. */
export function isEmptyNode(node: Node): boolean {
	return isScalar(node) && node.value === null;
}

/** A value that a tag makes of the text, such as the bytes of `!!binary`. */
function isTagged(node: Node | null): node is Scalar<object> {
	return isScalar(node) && typeof node.value === "object" && node.value !== null;
}

/** A plain scalar as it stands in the file. */
function scalarSource(node: Scalar): string {
	return node.source ?? String(node.value);
}

function describe(node: Node | null): string {
	if (node === null) return "nothing";
	if (isAlias(node)) return "a YAML alias";
	if (isMap(node)) return "a mapping";
	if (isSeq(node)) return "a list";
	if (!isScalar(node) || node.value === null) return "nothing";
	if (typeof node.value === "string") return `the text ${quote(node.value)}`;
	if (isTagged(node)) return `a value with the tag ${quote(node.tag ?? "!")}`;
	return `the ${typeof node.value} ${quote(scalarSource(node))}`;
}
