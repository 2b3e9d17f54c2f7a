/** Writes the messages of a batch one behind the other; numbers of attributes are in network order. */

import { NFNL_SUBSYS_NFTABLES } from "../nftables-message.ts";

/** linux/netfilter/nfnetlink.h */
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;

const HEADER = 16;
const FAMILY_HEADER = 4;
const ATTRIBUTE_HEADER = 4;
const REQUEST = 0x1;
const ACKNOWLEDGE = 0x4;
const NESTED = 0x8000;

export class BatchWriter {
	#bytes = new Uint8Array(64 * 1024);
	#view = new DataView(this.#bytes.buffer);
	#length = 0;
	/** Where the message begins that ended last. */
	#last = 0;
	readonly #sequence: number;

	constructor(sequence: number) {
		this.#sequence = sequence;
	}

	/** Bytes written so far. */
	get length(): number {
		return this.#length;
	}

	/** Begins a message with struct nfgenmsg; returns what `end` is given behind its attributes. */
	begin(type: number, flags: number, family: number, resource: number): number {
		const start = this.#length;
		this.#room(HEADER + FAMILY_HEADER);
		this.#view.setUint16(start + 4, type, true);
		this.#view.setUint16(start + 6, flags | REQUEST, true);
		this.#view.setUint32(start + 8, this.#sequence, true);
		this.#bytes[start + HEADER] = family;
		this.#view.setUint16(start + HEADER + 2, resource);
		this.#length += HEADER + FAMILY_HEADER;
		return start;
	}

	end(message: number): void {
		this.#view.setUint32(message, this.#length - message, true);
		this.#last = message;
	}

	/** Asks for an answer to the message that ended last. */
	acknowledge(): void {
		this.#view.setUint16(this.#last + 6, this.#view.getUint16(this.#last + 6, true) | ACKNOWLEDGE, true);
	}

	/** Begins an attribute that holds others; returns what `close` is given behind them. */
	open(type: number): number {
		const start = this.#length;
		this.#room(ATTRIBUTE_HEADER);
		this.#view.setUint16(start + 2, type | NESTED, true);
		this.#length += ATTRIBUTE_HEADER;
		return start;
	}

	close(attribute: number): void {
		this.#view.setUint16(attribute, this.#length - attribute, true);
	}

	u16(type: number, value: number): void {
		const at = this.#attribute(type, 2);
		this.#view.setUint16(at, value);
	}

	u32(type: number, value: number): void {
		const at = this.#attribute(type, 4);
		this.#view.setUint32(at, value);
	}

	/** A whole number up to 2^53. */
	u64(type: number, value: number): void {
		const at = this.#attribute(type, 8);
		this.#view.setUint32(at, Math.floor(value / 2 ** 32));
		this.#view.setUint32(at + 4, value % 2 ** 32);
	}

	bytes(type: number, value: Uint8Array): void {
		// The attribute may need another array.
		const at = this.#attribute(type, value.length);
		this.#bytes.set(value, at);
	}

	/** ASCII with its NUL, behind `prefix`. */
	text(type: number, value: string, prefix: readonly number[] = []): void {
		const at = this.#attribute(type, prefix.length + value.length + 1);
		this.#bytes.set(prefix, at);
		for (let i = 0; i < value.length; i++) this.#bytes[at + prefix.length + i] = value.charCodeAt(i);
	}

	/** Writes once more what was written from `from` up to `to`; returns where. */
	repeat(from: number, to: number): number {
		const start = this.#length;
		this.#room(to - from);
		this.#bytes.copyWithin(start, from, to);
		this.#length += to - from;
		return start;
	}

	/** Puts `length` bytes of `source` in the place of what was written at `at`. */
	overwrite(at: number, source: Uint8Array, from: number, length: number): void {
		for (let i = 0; i < length; i++) this.#bytes[at + i] = source[from + i] ?? 0;
	}

	/** What a transaction of nf_tables begins with. */
	beginBatch(): void {
		this.end(this.begin(BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES));
	}

	/** Ends the transaction, and gives all that was written. Nothing may be written after it. */
	finishBatch(): Uint8Array {
		this.end(this.begin(BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES));
		return this.#bytes.subarray(0, this.#length);
	}

	/** Where the value of a new attribute goes; it is all 0. */
	#attribute(type: number, length: number): number {
		const start = this.#length;
		const padded = (length + 3) & ~3;
		this.#room(ATTRIBUTE_HEADER + padded);
		this.#head(start, type, ATTRIBUTE_HEADER + length);
		this.#length += ATTRIBUTE_HEADER + padded;
		return start + ATTRIBUTE_HEADER;
	}

	#head(start: number, type: number, length: number): void {
		this.#view.setUint16(start, length, true);
		this.#view.setUint16(start + 2, type, true);
	}

	#room(count: number): void {
		if (this.#length + count <= this.#bytes.length) return;
		// Steps this large, as each has all of it copied; what is not written costs no memory.
		const larger = new Uint8Array(4 * this.#bytes.length + count);
		larger.set(this.#bytes);
		this.#bytes = larger;
		this.#view = new DataView(larger.buffer);
	}
}
