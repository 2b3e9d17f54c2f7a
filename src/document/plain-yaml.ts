/**
 * The YAML that people write for policies, read line by line: block mappings
 * and lists, plain and quoted values that end with their line, comments on
 * lines of their own. YAML's whole grammar costs ten times as much. What is
 * not surely read alike is left to the YAML library.
 */

import { type Pair, type ParsedNode, Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import { asParsed, LightMap, LightPair, LightScalar, LightSeq } from "./light-nodes.ts";

/** Deeper ones are for the library, too: a policy needs ten levels. */
const deepest = 32;

/** Longer texts are for the library, which counts what they hold while it reads. */
const longest = 64 * 1024;

export interface PlainYaml {
	readonly contents: ParsedNode;
	/** What the library's lexer would have found. */
	readonly lexemes: number;
}

/**
 * Sticky, one line: 1 indentation, 2 the dash of a list element, 3 a key, 4 its value, 5 a value alone. A colon is
 * part of a plain value where something follows it.
 */
const line = (() => {
	const part = "(?:[A-Za-z0-9_./,;()=@+*%-]|:(?=[^ \\n]))";
	const plain = `(?:[A-Za-z0-9_/]|:(?=:))${part}*(?: ${part}+)*`;
	const value = `${plain}|"[ !#-\\[\\]-~]*"|'[ -&(-~]*'`;
	const key = "[A-Za-z][A-Za-z0-9_./-]{0,200}";
	return new RegExp(`( *)(- )?(?:(${key}):(?: (${value}))?|(${value}))(?:\\n|$)`, "y");
})();

const blankOrComment = /(?: *#[ -~]*)?\n/y;
const marker = /---\n/y;

/** Words that YAML takes for something else than text. */
const words = /^(?:null|Null|NULL|true|True|TRUE|false|False|FALSE)$/;
const integer = /^(?:0|[1-9]\d{0,14})$/;
/** What begins with a digit and is surely no number: an address, a block. */
const noNumber = /^[0-9.]+\/|^\d+\.\d+\.|^[0-9a-fA-F]*:/;

interface Frame {
	readonly indent: number;
	readonly node: YAMLMap | YAMLSeq;
}

class NotPlain extends Error {}

/** Null where the text is to be read by the library. Never throws. */
export function parsePlainYaml(source: string): PlainYaml | null {
	if (source.length > longest) return null;
	try {
		return new PlainReader(source).document();
	} catch (error) {
		if (error instanceof NotPlain) return null;
		throw error;
	}
}

class PlainReader {
	readonly #frames: Frame[] = [];
	/** The key that waits for its value on the next lines. */
	#open: Pair | null = null;
	#root: YAMLMap | null = null;
	#at = 0;
	/** The library begins each document with one. */
	#lexemes = 1;

	constructor(private readonly source: string) {}

	document(): PlainYaml {
		const { source } = this;
		if (this.#pass(marker)) this.#lexemes += 2;
		while (this.#at < source.length) {
			const start = this.#at;
			if (this.#pass(blankOrComment)) this.#countComment(start);
			else this.#line();
		}
		if (this.#root === null || this.#open !== null) throw new NotPlain();
		return { contents: asParsed(this.#root), lexemes: this.#lexemes };
	}

	#pass(pattern: RegExp): boolean {
		pattern.lastIndex = this.#at;
		if (!pattern.test(this.source)) return false;
		this.#at = pattern.lastIndex;
		return true;
	}

	#countComment(start: number): void {
		const hash = this.source.indexOf("#", start);
		const comment = hash >= 0 && hash < this.#at;
		this.#lexemes += 1 + (comment ? 1 + Number(hash > start) : 0);
	}

	#line(): void {
		const start = this.#at;
		line.lastIndex = start;
		const found = line.exec(this.source);
		if (found === null) throw new NotPlain();
		this.#at = line.lastIndex;
		const [whole, spaces = "", dash, key, ofKey, alone] = found;
		const indent = spaces.length;
		const ended = whole.endsWith("\n");
		this.#lexemes += Number(indent > 0) + (dash === undefined ? 0 : 2) + Number(ended);
		const parent = this.#parent(indent, dash !== undefined, start + indent);
		const column = dash === undefined ? indent : indent + 2;
		const offset = start + column;
		if (key === undefined) {
			if (alone === undefined || dash === undefined) throw new NotPlain();
			(parent.node as YAMLSeq).items.push(this.#scalar(alone, offset));
			return;
		}
		const map =
			dash === undefined ? (parent.node as YAMLMap) : this.#element(parent.node as YAMLSeq, column, offset);
		if (words.test(key)) throw new NotPlain();
		const name = new LightScalar(key, key, Scalar.PLAIN, offset, offset + key.length);
		const pair = new LightPair(name, null);
		this.#lexemes += 3;
		if (ofKey === undefined) this.#open = pair;
		else {
			this.#lexemes += 1;
			pair.value = this.#scalar(ofKey, offset + key.length + 2);
		}
		map.items.push(pair);
	}

	/** The collection that a line belongs to; collections that it ends are left. */
	#parent(indent: number, dash: boolean, offset: number): Frame {
		const frames = this.#frames;
		const top = frames.at(-1);
		if (top === undefined) {
			if (indent > 0 || dash) throw new NotPlain();
			this.#root = new LightMap(false, offset);
			return this.#enter({ indent, node: this.#root });
		}
		if (this.#open !== null) {
			if (dash ? indent < top.indent : indent <= top.indent) throw new NotPlain();
			const node = dash ? new LightSeq(false, offset) : new LightMap(false, offset);
			this.#open.value = node;
			this.#open = null;
			return this.#enter({ indent, node });
		}
		for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
			if (frame.indent < indent) break;
			if (frame.indent === indent && frame.node instanceof LightSeq === dash) return frame;
			frames.pop();
		}
		throw new NotPlain();
	}

	#element(list: YAMLSeq, indent: number, offset: number): YAMLMap {
		const map = new LightMap(false, offset);
		list.items.push(map);
		this.#enter({ indent, node: map });
		return map;
	}

	#enter(frame: Frame): Frame {
		if (this.#frames.length === deepest) throw new NotPlain();
		this.#frames.push(frame);
		return frame;
	}

	#scalar(text: string, offset: number): Scalar {
		const end = offset + text.length;
		const first = text.charCodeAt(0);
		if (first === 0x22 || first === 0x27) {
			this.#lexemes += 1;
			const type = first === 0x22 ? Scalar.QUOTE_DOUBLE : Scalar.QUOTE_SINGLE;
			const value = text.slice(1, -1);
			return new LightScalar(value, value, type, offset, end);
		}
		this.#lexemes += 2;
		let value: string | number = text;
		if (first >= 0x30 && first <= 0x39) {
			if (integer.test(text)) value = Number(text);
			else if (!noNumber.test(text)) throw new NotPlain();
		} else if (words.test(text)) throw new NotPlain();
		return new LightScalar(value, text, Scalar.PLAIN, offset, end);
	}
}
