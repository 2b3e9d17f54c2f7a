/**
 * Netlink messages and their attributes (linux/netlink.h, netlink(7)): building
 * and reading bytes, nothing else. Reading never throws and never looks outside
 * the bytes, whatever lengths a message claims. Headers are in host order
 * (little-endian here), netfilter's attribute values in network order.
 */

/** struct nlmsghdr */
const MESSAGE_HEADER_BYTES = 16;
/** struct nfgenmsg of linux/netfilter/nfnetlink.h */
export const FAMILY_HEADER_BYTES = 4;
const ATTRIBUTE_HEADER_BYTES = 4;

/** linux/netlink.h */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

/** Rounds up to the four bytes that netlink aligns to. */
function aligned(length: number): number {
	return (length + 3) & ~3;
}

/** Walks over the messages in what one receive gave. */
export class MessageCursor {
	readonly #view: DataView;
	#next = 0;
	type = 0;
	flags = 0;
	sequence = 0;
	portId = 0;
	/** Bounds of the payload in `bytes`. */
	start = 0;
	end = 0;

	constructor(readonly bytes: Uint8Array) {
		this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	}

	/** Steps to the next whole message; false at the end and where the rest is cut or malformed. */
	advance(): boolean {
		const at = this.#next;
		if (this.bytes.length - at < MESSAGE_HEADER_BYTES) return false;
		const length = this.#view.getUint32(at, true);
		if (length < MESSAGE_HEADER_BYTES || length > this.bytes.length - at) return false;
		this.type = this.#view.getUint16(at + 4, true);
		this.flags = this.#view.getUint16(at + 6, true);
		this.sequence = this.#view.getUint32(at + 8, true);
		this.portId = this.#view.getUint32(at + 12, true);
		this.start = at + MESSAGE_HEADER_BYTES;
		this.end = at + length;
		this.#next = at + aligned(length);
		return true;
	}

	/** The error number of an NLMSG_ERROR or NLMSG_DONE payload, positive; 0 for an acknowledgement. */
	errorNumber(): number {
		return this.end - this.start < 4 ? 0 : -this.#view.getInt32(this.start, true);
	}

	/** Address family of a netfilter message's header; null when it is cut. */
	family(): number | null {
		return this.end - this.start < FAMILY_HEADER_BYTES ? null : (this.bytes[this.start] ?? null);
	}
}

/** The attributes of one message or nest, by type; reused from message to message, so that reading allocates nothing. */
export class AttributeTable {
	readonly #offsets: Int32Array;
	readonly #lengths: Int32Array;
	#bytes: Uint8Array = new Uint8Array(0);
	#view: DataView = new DataView(this.#bytes.buffer);

	/** @param highest the highest attribute type of interest; others are passed over. */
	constructor(highest: number) {
		this.#offsets = new Int32Array(highest + 1);
		this.#lengths = new Int32Array(highest + 1);
	}

	/** Reads the attributes in [start, end), stopping where they are malformed. Of a repeated type the last stands. */
	read(bytes: Uint8Array, start: number, end: number): this {
		if (bytes.buffer !== this.#bytes.buffer || bytes.byteOffset !== this.#bytes.byteOffset) {
			this.#view = new DataView(bytes.buffer, bytes.byteOffset);
		}
		this.#bytes = bytes;
		this.#lengths.fill(-1);
		const limit = Math.min(end, bytes.length);
		let at = start;
		while (limit - at >= ATTRIBUTE_HEADER_BYTES) {
			const length = this.#view.getUint16(at, true);
			if (length < ATTRIBUTE_HEADER_BYTES || length > limit - at) break;
			const type = this.#view.getUint16(at + 2, true) & NLA_TYPE_MASK;
			if (type < this.#offsets.length) {
				this.#offsets[type] = at + ATTRIBUTE_HEADER_BYTES;
				this.#lengths[type] = length - ATTRIBUTE_HEADER_BYTES;
			}
			at += aligned(length);
		}
		return this;
	}

	/** Reads the attributes inside a nest of another table; none when the nest is absent. */
	readNested(parent: AttributeTable, type: number): this {
		return this.read(
			parent.#bytes,
			parent.offset(type),
			parent.offset(type) + Math.max(parent.length(type), 0),
		);
	}

	/** Where the value starts in the bytes; 0 when absent. */
	offset(type: number): number {
		return this.length(type) < 0 ? 0 : (this.#offsets[type] ?? 0);
	}

	/** The value's length; -1 when absent. */
	length(type: number): number {
		return this.#lengths[type] ?? -1;
	}

	u8(type: number): number | null {
		return this.length(type) < 1 ? null : this.#view.getUint8(this.offset(type));
	}

	/** 16 bits in network order. */
	u16(type: number): number | null {
		return this.length(type) < 2 ? null : this.#view.getUint16(this.offset(type));
	}

	/** 32 bits in network order. */
	u32(type: number): number | null {
		return this.length(type) < 4 ? null : this.#view.getUint32(this.offset(type));
	}

	/** 64 bits in network order; exact up to 2^53. */
	u64(type: number): number | null {
		if (this.length(type) < 8) return null;
		const at = this.offset(type);
		return this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4);
	}

	/** Text up to the first NUL, each byte one character; null when absent. */
	text(type: number): string | null {
		const length = this.length(type);
		if (length < 0) return null;
		const at = this.offset(type);
		let text = "";
		for (let i = at; i < at + length; i++) {
			const byte = this.#bytes[i] ?? 0;
			if (byte === 0) break;
			text += String.fromCharCode(byte);
		}
		return text;
	}

	/** A copy of the value; null when absent. */
	copy(type: number): Uint8Array | null {
		const length = this.length(type);
		return length < 0 ? null : this.#bytes.slice(this.offset(type), this.offset(type) + length);
	}
}

/** Bounds of the value of each attribute in a nest that is a list, such as the elements of a set. */
export function* attributeRanges(bytes: Uint8Array): Generator<{ start: number; end: number }> {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	for (let at = 0; bytes.length - at >= ATTRIBUTE_HEADER_BYTES; ) {
		const length = view.getUint16(at, true);
		if (length < ATTRIBUTE_HEADER_BYTES || length > bytes.length - at) return;
		yield { start: at + ATTRIBUTE_HEADER_BYTES, end: at + length };
		at += aligned(length);
	}
}

/** Most messages fit. */
const FIRST_BYTES = 128;

/** Builds one message. */
export class MessageWriter {
	#bytes = new Uint8Array(FIRST_BYTES);
	#length = MESSAGE_HEADER_BYTES;

	constructor(
		private readonly type: number,
		private readonly flags: number,
		private readonly sequence: number,
	) {}

	/** struct nfgenmsg. */
	familyHeader(family: number, resource = 0): this {
		return this.raw([family & 0xff, 0, (resource >> 8) & 0xff, resource & 0xff]);
	}

	/** Bytes as they are, such as a protocol's own header; a multiple of four. */
	raw(bytes: ArrayLike<number>): this {
		this.#room(bytes.length).set(bytes, this.#length);
		this.#length += bytes.length;
		return this;
	}

	/** One attribute with its padding. @throws RangeError for a value over the 16-bit length of an attribute. */
	attribute(type: number, value: ArrayLike<number>): this {
		const length = value.length + ATTRIBUTE_HEADER_BYTES;
		if (length > 0xffff) throw new RangeError("a netlink attribute holds at most 65531 bytes");
		const bytes = this.#room(aligned(length));
		const at = this.#length;
		bytes[at] = length & 0xff;
		bytes[at + 1] = length >> 8;
		bytes[at + 2] = type & 0xff;
		bytes[at + 3] = type >> 8;
		bytes.set(value, at + ATTRIBUTE_HEADER_BYTES);
		this.#length += aligned(length);
		return this;
	}

	u8(type: number, value: number): this {
		return this.attribute(type, [value & 0xff]);
	}

	u16(type: number, value: number): this {
		return this.attribute(type, [(value >> 8) & 0xff, value & 0xff]);
	}

	u32(type: number, value: number): this {
		return this.attribute(type, [value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff]);
	}

	/** NUL-terminated text. */
	text(type: number, value: string): this {
		return this.attribute(type, [...new TextEncoder().encode(value), 0]);
	}

	/** An attribute whose value is attributes, given as their bytes. */
	nested(type: number, attributes: ArrayLike<number>): this {
		return this.attribute(type | NLA_F_NESTED, attributes);
	}

	/** An attribute whose value is the attributes that `write` writes. */
	nest(type: number, write: (inner: MessageWriter) => void): this {
		const inner = new MessageWriter(0, 0, 0);
		write(inner);
		return this.nested(type, inner.#bytes.subarray(MESSAGE_HEADER_BYTES, inner.#length));
	}

	finish(): Uint8Array {
		const message = this.#bytes.slice(0, this.#length);
		const view = new DataView(message.buffer);
		view.setUint32(0, message.length, true);
		view.setUint16(4, this.type, true);
		view.setUint16(6, this.flags, true);
		view.setUint32(8, this.sequence, true);
		return message;
	}

	/** The bytes, with room for so many more; those behind what is written are 0. */
	#room(count: number): Uint8Array {
		const needed = this.#length + count;
		if (needed <= this.#bytes.length) return this.#bytes;
		const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
		larger.set(this.#bytes);
		this.#bytes = larger;
		return larger;
	}
}
