/** Keys of sets and maps as bytes: each part begins at a multiple of four, as in the registers of rules. */

import { parseAddress } from "../../base/cidr.ts";
import type { Family } from "../../base/model.ts";
import { keyCount } from "./objects.ts";

interface FieldType {
	/** libnftables' number of the type: enum datatypes of its datatype.h. */
	readonly id: number;
	/** Bytes of a value. */
	readonly length: number;
	readonly family?: Family;
	/** The greatest value, of numbers. */
	readonly most?: number;
	/** The machine's own order of bytes, and not that of packets. */
	readonly hostOrder?: true;
}

const types: Readonly<Record<string, FieldType>> = {
	ipv4_addr: { id: 7, length: 4, family: 4 },
	ipv6_addr: { id: 8, length: 16, family: 6 },
	inet_proto: { id: 12, length: 1, most: 0xff },
	inet_service: { id: 13, length: 2, most: 0xffff },
	/** Only the kernel puts such keys into a set. */
	iface_index: { id: 20, length: 4, most: -1 },
	mark: { id: 19, length: 4, most: -1, hostOrder: true },
	icmp_type: { id: 14, length: 1, most: 0xff },
	icmpv6_type: { id: 29, length: 1, most: 0xff },
	uid: { id: 24, length: 4, most: 0xffff_fffe, hostOrder: true },
	gid: { id: 25, length: 4, most: 0xffff_fffe, hostOrder: true },
	/** The number of a control group. Sets of them are made empty: see addElements. */
	cgroupsv2: { id: 46, length: 8, most: -1, hostOrder: true },
};

export interface KeyType {
	/** As a set's declaration has it: of a concatenation six bits for each part. */
	readonly id: number;
	/** Bytes, those included that fill a part up to four. */
	readonly length: number;
	readonly fields: readonly FieldType[];
	/** Whether a value's first byte is the most significant one, which nft is told of keys of one part. */
	readonly bigEndian: boolean;
}

/** Null where some part is of another type. */
export function readKeyType(text: string): KeyType | null {
	const fields: FieldType[] = [];
	let id = 0;
	let length = 0;
	for (const name of text.split(" . ")) {
		const field = types[name];
		if (field === undefined) return null;
		fields.push(field);
		id = id * 64 + field.id;
		length += (field.length + 3) & ~3;
	}
	const [only] = fields;
	if (only === undefined) return null;
	// A key of one part is as long as the value.
	if (fields.length === 1) length = only.length;
	return { id, length, fields, bigEndian: fields.length === 1 && only.length > 1 && only.hostOrder !== true };
}

/** The keys of a set, in columns, as there may be hundreds of thousands. Each is a range, both ends inclusive. */
export class KeyList {
	readonly count: number;
	/** 1 where the text of a key has a block or a range, else 0. */
	readonly ranges: Uint8Array;
	/** Bytes of a key. */
	readonly length: number;
	/** The first keys of all ranges, one behind the other, and the last ones. */
	readonly firsts: Uint8Array;
	readonly lasts: Uint8Array;

	/** @param length bytes of a key */
	constructor(count: number, length: number) {
		this.count = count;
		this.ranges = new Uint8Array(count);
		this.length = length;
		this.firsts = new Uint8Array(count * length);
		this.lasts = new Uint8Array(count * length);
	}

	first(place: number): Uint8Array {
		return this.firsts.subarray(place * this.length, (place + 1) * this.length);
	}

	last(place: number): Uint8Array {
		return this.lasts.subarray(place * this.length, (place + 1) * this.length);
	}

	compareFirst(a: number, b: number): number {
		return compareAt(this.firsts, a, this.firsts, b, this.length);
	}

	/** Compares the end of one with the beginning of the other. */
	compareAcross(last: number, first: number): number {
		return compareAt(this.lasts, last, this.firsts, first, this.length);
	}

	/** Compares where a range begins with where one of a list of the same type does. */
	compareFirstOf(place: number, other: KeyList, otherPlace: number): number {
		return compareAt(this.firsts, place, other.firsts, otherPlace, this.length);
	}

	/** The same of their ends. */
	compareLastOf(place: number, other: KeyList, otherPlace: number): number {
		return compareAt(this.lasts, place, other.lasts, otherPlace, this.length);
	}
}

/** Compares keys, of `length` bytes each, at their places in columns. */
function compareAt(left: Uint8Array, a: number, right: Uint8Array, b: number, length: number): number {
	for (let i = 0; i < length; i++) {
		const difference = (left[a * length + i] ?? 0) - (right[b * length + i] ?? 0);
		if (difference !== 0) return difference;
	}
	return 0;
}

/**
 * Null where the text, which has a key a line, has other forms. A text is read where it stands: pieces of it would cost
 * more than all the rest.
 */
export function readKeys(text: string, { fields, length }: KeyType): KeyList | null {
	const keys = new KeyList(keyCount(text), length);
	let from = 0;
	for (let place = 0; place < keys.count; place++) {
		const newline = text.indexOf("\n", from);
		const end = newline < 0 ? text.length : newline;
		let at = place * length;
		for (let i = 0; i < fields.length; i++) {
			const field = fields[i];
			const dot = i + 1 === fields.length ? end : text.indexOf(" . ", from);
			if (field === undefined || dot < 0 || dot > end) return null;
			const read = readField({ text, from, to: dot }, field, keys, at);
			if (read === null) return null;
			if (read === "range") keys.ranges[place] = 1;
			from = dot + 3;
			at += (field.length + 3) & ~3;
		}
		from = end + 1;
	}
	return keys;
}

/** A piece of a text that is not cut out of it. */
interface Stretch {
	readonly text: string;
	readonly from: number;
	readonly to: number;
}

const dashCode = 0x2d;
const slashCode = 0x2f;

/** Where the ends of a range or the parts of a block meet; -1 in a single value. */
function dividerOf({ text, from, to }: Stretch): number {
	for (let at = from; at < to; at++) {
		const code = text.charCodeAt(at);
		if (code === dashCode || code === slashCode) return at;
	}
	return -1;
}

/** Puts the ends of a part of a key at a place of the columns. */
function readField(
	stretch: Stretch,
	field: FieldType,
	{ firsts, lasts }: KeyList,
	at: number,
): "value" | "range" | null {
	const { text, from, to } = stretch;
	const divider = dividerOf(stretch);
	if (divider < 0) {
		if (!readValue(stretch, field, firsts, at)) return null;
		for (let i = at; i < at + field.length; i++) lasts[i] = firsts[i] ?? 0;
		return "value";
	}
	if (!readValue({ text, from, to: divider }, field, firsts, at)) return null;
	if (text.charCodeAt(divider) === dashCode) {
		if (!readValue({ text, from: divider + 1, to }, field, lasts, at)) return null;
		const end = at + field.length;
		return compareBytes(firsts.subarray(at, end), lasts.subarray(at, end)) > 0 ? null : "range";
	}
	const bits = wholeNumber(text.slice(divider + 1, to), 8 * field.length);
	if (bits === null || field.family === undefined) return null;
	for (let i = 0; i < field.length; i++) {
		const host = 0xff >> Math.min(8, Math.max(0, bits - 8 * i));
		const byte = firsts[at + i] ?? 0;
		if ((byte & host) !== 0) return null;
		lasts[at + i] = byte | host;
	}
	return "range";
}

/** Whether the text is a value, which is then put at its place. */
function readValue(stretch: Stretch, field: FieldType, to: Uint8Array, at: number): boolean {
	const { family, length, most, hostOrder } = field;
	if (family === 4) return readIpv4(stretch, to, at);
	const text = stretch.text.slice(stretch.from, stretch.to);
	if (family === 6) {
		const parsed = parseAddress(text);
		if (!("family" in parsed) || parsed.family !== 6) return false;
		to.set(addressBytes(6, parsed.value), at);
		return true;
	}
	const value = wholeNumber(text, most ?? 0);
	if (value === null) return false;
	if (hostOrder !== undefined) {
		for (let i = 0, rest = value; i < length; i++, rest = Math.floor(rest / 256)) to[at + i] = rest % 256;
		return true;
	}
	if (length === 2) to[at] = value >> 8;
	to[at + length - 1] = value & 0xff;
	return true;
}

/** Of tens of thousands: without the objects that a parsed address is made of. */
function readIpv4({ text, from, to: end }: Stretch, to: Uint8Array, at: number): boolean {
	let part = 0;
	let value = -1;
	for (let i = from; i <= end; i++) {
		const code = i === end ? 0x2e : text.charCodeAt(i);
		if (code === 0x2e) {
			if (value < 0 || part > 3) return false;
			to[at + part] = value;
			part += 1;
			value = -1;
		} else if (code >= 0x30 && code <= 0x39 && value !== 0) {
			value = Math.max(value, 0) * 10 + (code - 0x30);
			if (value > 0xff) return false;
		} else return false;
	}
	return part === 4;
}

function wholeNumber(text: string, most: number): number | null {
	if (!/^(?:0|[1-9]\d{0,9})$/.test(text)) return null;
	const value = Number(text);
	return value <= most ? value : null;
}

export function addressBytes(family: Family, value: bigint): Uint8Array {
	const bytes = new Uint8Array(family === 4 ? 4 : 16);
	for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
	return bytes;
}

/** Null where it is none. */
export function portBytes(text: string | undefined): Uint8Array | null {
	const value = wholeNumber(text ?? "", 0xffff);
	return value === null ? null : Uint8Array.of(value >> 8, value & 0xff);
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
	for (let i = 0; i < a.length; i++) {
		const difference = (a[i] ?? 0) - (b[i] ?? 0);
		if (difference !== 0) return difference;
	}
	return 0;
}

/** The key behind this one; null behind the last. */
export function successor(key: Uint8Array): Uint8Array | null {
	const next = key.slice();
	return increase(next, 0, next.length) ? next : null;
}

/** Makes a key, which lies in `bytes`, the one behind it; false where it was the last. */
export function increase(bytes: Uint8Array, from: number, length: number): boolean {
	for (let i = from + length - 1; i >= from; i--) {
		const byte = ((bytes[i] ?? 0) + 1) & 0xff;
		bytes[i] = byte;
		if (byte !== 0) return true;
	}
	return false;
}
