/**
 * Lists of address blocks as feeds have them: one a line, with comments from # or ; to the end of the line. Read byte by
 * byte, since a list may have hundreds of thousands of lines.
 */

import { parseCidr } from "./cidr.ts";
import type { Cidr } from "./model.ts";
import { quote } from "./suggest.ts";

/** Bounds on one list. */
export const listLimits = { bytes: 32 * 1024 * 1024, blocks: 500_000 } as const;

export type CidrList =
	| {
			readonly ok: true;
			readonly blocks: readonly Cidr[];
			/** Blocks that were written with bits beyond their prefix; these are cleared. */
			readonly hostBits: number;
	  }
	/** The first that is wrong; line and column from 1. */
	| {
			readonly ok: false;
			readonly line: number;
			readonly column: number;
			readonly message: string;
			readonly hint: string;
	  };

const newline = 0x0a;
const zero = 0x30;
const nine = 0x39;
const dot = 0x2e;
const slash = 0x2f;

/** Longer than any block; of a longer word the beginning is told. */
const longestWord = 128;

/** Parses the bytes of a list. A byte order mark and CR before LF are passed over. Never throws. */
export function parseCidrList(bytes: Uint8Array): CidrList {
	return new ListReader(bytes).read();
}

/** The line, from 1, on which a list first has a block; null where it has not, or is no list. */
export function lineOfBlock(bytes: Uint8Array, { family, base, prefix }: Cidr): number | null {
	const reader = new ListReader(bytes);
	let line: number | null = null;
	const read = reader.read((found, at) => {
		if (line === null && found.family === family && found.base === base && found.prefix === prefix) line = at;
	});
	return read.ok ? line : null;
}

function isBlank(byte: number | undefined): boolean {
	return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}

function beginsComment(byte: number | undefined): boolean {
	return byte === 0x23 || byte === 0x3b;
}

class ListReader {
	readonly #blocks: Cidr[] = [];
	#at = 0;
	#line = 1;
	#lineStart = 0;
	#hostBits = 0;

	constructor(private readonly bytes: Uint8Array) {}

	/** @param found is told of each block, and of its line */
	read(found?: (block: Cidr, line: number) => void): CidrList {
		const { bytes } = this;
		const end = bytes.length;
		if (end > listLimits.bytes) {
			const message = `the list has ${end} bytes; at most ${listLimits.bytes} are read`;
			return this.#fail(0, message, "split it into several groups");
		}
		if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.#at = this.#lineStart = 3;
		while (this.#at < end) {
			while (isBlank(bytes[this.#at])) this.#at++;
			const byte = bytes[this.#at];
			if (byte !== undefined && byte !== newline && !beginsComment(byte)) {
				const problem = this.#block();
				if (problem !== null) return problem;
				const block = this.#blocks.at(-1);
				if (block !== undefined) found?.(block, this.#line);
			}
			if (!this.#endLine()) {
				const word = this.#word(this.#at);
				const message = `${quote(word)} follows the block`;
				return this.#fail(this.#at, message, "write one block a line; comments begin with #");
			}
		}
		return { ok: true, blocks: this.#blocks, hostBits: this.#hostBits };
	}

	/** Passes over blanks and a comment to the next line; false where something else follows. */
	#endLine(): boolean {
		const { bytes } = this;
		while (isBlank(bytes[this.#at])) this.#at++;
		if (beginsComment(bytes[this.#at])) {
			const next = bytes.indexOf(newline, this.#at);
			this.#at = next < 0 ? bytes.length : next;
		}
		if (this.#at >= bytes.length) return true;
		if (bytes[this.#at] !== newline) return false;
		this.#at++;
		this.#line++;
		this.#lineStart = this.#at;
		return true;
	}

	#block(): CidrList | null {
		const start = this.#at;
		if (this.#blocks.length === listLimits.blocks) {
			const message = `the list has more than ${listLimits.blocks} blocks`;
			return this.#fail(start, message, "join neighbouring blocks, or split it into several groups");
		}
		const plain = this.#plainBlock();
		if (plain !== null) {
			this.#blocks.push(plain);
			return null;
		}
		const word = this.#word(start);
		const parsed = parseCidr(word);
		if (!parsed.ok) return this.#fail(start, parsed.message, parsed.hint);
		if (!word.includes("/") && parsed.cidr.base === 0n) {
			const all = parsed.cidr.family === 4 ? "0.0.0.0/0" : "::/0";
			const message = `${word} is one address, which no host has`;
			return this.#fail(start, message, `write ${all} for every address of its family`);
		}
		if (parsed.hostBits) this.#hostBits++;
		this.#blocks.push(parsed.cidr);
		this.#at = start + word.length;
		return null;
	}

	/** An IPv4 block without anything odd; null leaves all else, and the place, to the strict parser. */
	#plainBlock(): Cidr | null {
		const { bytes } = this;
		let at = this.#at;
		let value = 0;
		for (let part = 0; part < 4; part++) {
			const from = at;
			let number = 0;
			for (let byte = bytes[at] ?? 0; byte >= zero && byte <= nine; byte = bytes[at] ?? 0) {
				number = number * 10 + (byte - zero);
				at++;
				if (at - from > 3) return null;
			}
			if (at === from || number > 255 || (at - from > 1 && bytes[from] === zero)) return null;
			value = value * 256 + number;
			if (part < 3 && bytes[at++] !== dot) return null;
		}
		let prefix = 32;
		if (bytes[at] === slash) {
			const from = ++at;
			prefix = 0;
			for (let byte = bytes[at] ?? 0; byte >= zero && byte <= nine; byte = bytes[at] ?? 0) {
				prefix = prefix * 10 + (byte - zero);
				at++;
				if (at - from > 2) return null;
			}
			if (at === from || prefix > 32 || (at - from > 1 && bytes[from] === zero)) return null;
		} else if (value === 0) return null;
		const after = bytes[at];
		if (after !== undefined && after !== newline && !isBlank(after) && !beginsComment(after)) return null;
		if (value % 2 ** (32 - prefix) !== 0) return null;
		this.#at = at;
		return { family: 4, base: BigInt(value), prefix };
	}

	/** What stands there up to a blank, a comment or the end of the line. */
	#word(start: number): string {
		const { bytes } = this;
		let end = start;
		const most = Math.min(bytes.length, start + longestWord);
		while (end < most && bytes[end] !== newline && !isBlank(bytes[end]) && !beginsComment(bytes[end])) end++;
		return Buffer.from(bytes.subarray(start, end)).toString("latin1");
	}

	#fail(at: number, message: string, hint: string): CidrList {
		return { ok: false, line: this.#line, column: at - this.#lineStart + 1, message, hint };
	}
}
