/**
 * The little of protobuf's wire format that KubeArmor's log service needs
 * (https://protobuf.dev/programming-guides/encoding/). What proto3 leaves out, is left out. Pure.
 */

const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const fixed32 = 5;

/** Bytes of a varint of 64 bits. */
const longestVarint = 10;

/** Builds one message, field by field. */
export class ProtoWriter {
	#buffer = Buffer.allocUnsafe(1024);
	#length = 0;

	/** @param value a whole number within ±2^53, of int32 or int64 */
	int(field: number, value: number): this {
		if (value === 0) return this;
		this.#tag(field, varint);
		// Negative numbers are sent as those of 64 bits, in ten bytes.
		if (value < 0) this.#bigVarint(BigInt.asUintN(64, BigInt(value)));
		else this.#varint(value);
		return this;
	}

	/** Half a surrogate pair becomes U+FFFD, as no reader takes a text that is no UTF-8. */
	text(field: number, value: string): this {
		if (value !== "") this.#text(field, value);
		return this;
	}

	/** Each as it is, empty ones too. */
	texts(field: number, values: readonly string[]): this {
		for (const value of values) this.#text(field, value);
		return this;
	}

	/** A message within this one, also an empty one. */
	message(field: number, value: Uint8Array): this {
		this.#tag(field, lengthDelimited);
		this.#varint(value.length);
		this.#reserve(value.length);
		this.#buffer.set(value, this.#length);
		this.#length += value.length;
		return this;
	}

	/** A map of texts. */
	map(field: number, entries: Readonly<Record<string, string>>): this {
		for (const [key, value] of Object.entries(entries))
			this.message(field, new ProtoWriter().text(1, key).text(2, value).bytes());
		return this;
	}

	/** A copy of what was written. */
	bytes(): Buffer {
		return Buffer.from(this.#buffer.subarray(0, this.#length));
	}

	#text(field: number, value: string): void {
		const length = Buffer.byteLength(value);
		this.#tag(field, lengthDelimited);
		this.#varint(length);
		this.#reserve(length);
		this.#length += this.#buffer.write(value, this.#length, "utf8");
	}

	#tag(field: number, type: number): void {
		this.#varint(field * 8 + type);
	}

	#varint(value: number): void {
		this.#reserve(longestVarint);
		let rest = value;
		for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#buffer[this.#length++] = (rest % 0x80) + 0x80;
		this.#buffer[this.#length++] = rest;
	}

	#bigVarint(value: bigint): void {
		this.#reserve(longestVarint);
		let rest = value;
		for (; rest >= 0x80n; rest >>= 7n) this.#buffer[this.#length++] = Number(rest & 0x7fn) + 0x80;
		this.#buffer[this.#length++] = Number(rest);
	}

	#reserve(bytes: number): void {
		if (this.#length + bytes <= this.#buffer.length) return;
		const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
		larger.set(this.#buffer.subarray(0, this.#length));
		this.#buffer = larger;
	}
}

/** The first field of a message: its number, its text, or neither where it is not there. */
export interface FirstField {
	/** Of 32 bits, as int32 is read. */
	readonly number: number;
	readonly text: string;
}

/** Reads field 1 of a message that somebody sent, and passes over all others; null for what is no message. */
export function readFirstField(bytes: Uint8Array): FirstField | null {
	let number = 0;
	let text = "";
	let at = 0;
	while (at < bytes.length) {
		const tag = readVarint(bytes, at);
		if (tag === null) return null;
		const type = Number(tag.value & 7n);
		const value = readValue(bytes, tag.end, type);
		if (value === null) return null;
		// The last one counts (the same page, "Last One Wins").
		if (tag.value >> 3n === 1n) {
			if (type === varint) number = Number(BigInt.asIntN(32, value.number));
			if (type === lengthDelimited)
				text = Buffer.from(bytes.subarray(value.start, value.end)).toString("utf8");
		}
		at = value.end;
	}
	return { number, text };
}

interface Value {
	readonly number: bigint;
	readonly start: number;
	readonly end: number;
}

function readValue(bytes: Uint8Array, start: number, type: number): Value | null {
	const within = (end: number): Value | null => (end > bytes.length ? null : { number: 0n, start, end });
	switch (type) {
		case varint: {
			const read = readVarint(bytes, start);
			return read === null ? null : { number: read.value, start, end: read.end };
		}
		case fixed64:
			return within(start + 8);
		case fixed32:
			return within(start + 4);
		case lengthDelimited: {
			const length = readVarint(bytes, start);
			if (length === null || length.value > BigInt(bytes.length)) return null;
			const end = length.end + Number(length.value);
			return end > bytes.length ? null : { number: 0n, start: length.end, end };
		}
		default:
			return null;
	}
}

function readVarint(
	bytes: Uint8Array,
	start: number,
): { readonly value: bigint; readonly end: number } | null {
	let value = 0n;
	for (let index = 0; index < longestVarint; index++) {
		const byte = bytes[start + index];
		if (byte === undefined) return null;
		value |= BigInt(byte & 0x7f) << BigInt(7 * index);
		if (byte < 0x80) return { value, end: start + index + 1 };
	}
	return null;
}
