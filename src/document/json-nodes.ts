/**
 * JSON documents as the YAML nodes that they are. Long lists of addresses are
 * mostly machine-made JSON, and YAML's grammar costs ten times the memory and
 * time for it. What is not strictly JSON is left to the YAML parser.
 */

import { type ParsedNode, Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import { asParsed, LightMap, LightPair, LightScalar, LightSeq } from "./light-nodes.ts";

/** Collections, keys and values in one document: room for 200 000 address blocks. */
export const maxJsonNodes = 1_100_000;

export type JsonNodes =
	| { readonly kind: "nodes"; readonly contents: ParsedNode }
	/** `offset`: where the first node stands that is too many. */
	| { readonly kind: "too-many"; readonly offset: number };

/** Null where the text is not one JSON object or list, or nests deeper than `depth`. Never throws. */
export function parseJson(source: string, depth: number): JsonNodes | null {
	if (!/^[ \t\r\n]*[[{]/.test(source)) return null;
	const reader = new JsonReader(source, depth);
	try {
		return { kind: "nodes", contents: reader.document() };
	} catch (error) {
		if (error instanceof NotJson) return null;
		if (error instanceof TooMany) return { kind: "too-many", offset: error.offset };
		throw error;
	}
}

class NotJson extends Error {}

class TooMany extends Error {
	constructor(readonly offset: number) {
		super("too many nodes");
	}
}

type JsonNode = YAMLMap | YAMLSeq | Scalar;

/** Sticky: each matches at its `lastIndex` alone. */
const space = /[ \t\r\n]*/y;
/** Long runs of plain characters cost nothing to remember this way; one choice for each character does. */
const text = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\u0000-\u001f]*)*"/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const word = /true|false|null/y;
const words: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

class JsonReader {
	#at = 0;
	#nodes = 0;

	constructor(
		private readonly source: string,
		private readonly depth: number,
	) {}

	document(): ParsedNode {
		const contents = this.#value(this.depth);
		this.#skip();
		if (this.#at < this.source.length) throw new NotJson();
		return asParsed(contents);
	}

	#value(depth: number): JsonNode {
		this.#skip();
		this.#nodes += 1;
		if (this.#nodes > maxJsonNodes) throw new TooMany(this.#at);
		const first = this.source[this.#at];
		if (first === "{" || first === "[") {
			if (depth === 0) throw new NotJson();
			return first === "{" ? this.#map(depth - 1) : this.#list(depth - 1);
		}
		return first === '"' ? this.#text() : this.#plain();
	}

	#map(depth: number): YAMLMap {
		const map = new LightMap(true, this.#at);
		return this.#collect(map, "}", () => {
			this.#skip();
			this.#nodes += 1;
			const key = this.#text();
			this.#skip();
			this.#expect(":");
			map.items.push(new LightPair(key, this.#value(depth)));
		});
	}

	#list(depth: number): YAMLSeq {
		const list = new LightSeq(true, this.#at);
		return this.#collect(list, "]", () => list.items.push(this.#value(depth)));
	}

	#collect<C extends YAMLMap | YAMLSeq>(collection: C, end: string, member: () => void): C {
		const start = this.#at;
		this.#at += 1;
		this.#skip();
		if (this.source[this.#at] !== end) {
			for (member(); this.#next(","); ) member();
		}
		this.#expect(end);
		collection.range = [start, this.#at, this.#at];
		return collection;
	}

	#text(): Scalar {
		const [start, written] = this.#match(text);
		const value = written.includes("\\") ? String(JSON.parse(written)) : written.slice(1, -1);
		return this.#scalar(value, value, start, Scalar.QUOTE_DOUBLE);
	}

	#plain(): Scalar {
		const first = this.source[this.#at] ?? "";
		const [start, written] = this.#match(/[-\d]/.test(first) ? number : word);
		const value = Object.hasOwn(words, written) ? words[written] : Number(written);
		return this.#scalar(value, written, start, Scalar.PLAIN);
	}

	#scalar(value: unknown, source: string, start: number, type: Scalar.Type): Scalar {
		return new LightScalar(value, source, type, start, this.#at);
	}

	#match(pattern: RegExp): [start: number, text: string] {
		pattern.lastIndex = this.#at;
		const found = pattern.exec(this.source);
		if (found === null) throw new NotJson();
		const start = this.#at;
		this.#at = pattern.lastIndex;
		return [start, found[0]];
	}

	#skip(): void {
		const code = this.source.charCodeAt(this.#at);
		if (code > 32) return;
		space.lastIndex = this.#at;
		space.exec(this.source);
		this.#at = space.lastIndex;
	}

	/** Whether `character` stands next; it is passed then. */
	#next(character: string): boolean {
		this.#skip();
		if (this.source[this.#at] !== character) return false;
		this.#at += 1;
		return true;
	}

	#expect(character: string): void {
		if (!this.#next(character)) throw new NotJson();
	}
}
