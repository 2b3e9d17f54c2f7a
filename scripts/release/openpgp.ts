/**
 * The release's Ed25519 key as an OpenPGP key, and what it signs, for apt and rpm, which know no other signatures.
 * RFC 4880, with Ed25519 as RFC 9580 describes it for keys of version 4 (EdDSALegacy).
 */

import { createHash, createPublicKey, type KeyObject, sign } from "node:crypto";

/**
 * When the key was made, for OpenPGP, in seconds since 1970: a part of its fingerprint, which is to be the same in every
 * release. Nothing is signed earlier.
 */
export const keyDate = Date.UTC(2020, 0, 1) / 1000;

const userId = "Portward releases";

/** Numbers of RFC 4880 and RFC 9580, 9.1: EdDSALegacy, SHA-512. */
const algorithm = { edDsa: 22, sha512: 10 };
const signatureType = { binary: 0x00, text: 0x01, certification: 0x13 };
const packetTag = { signature: 2, publicKey: 6, userId: 13 };

/** The curve's name, with its length before it: RFC 9580, 9.2. */
const curve = Buffer.from([9, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01]);

function word(value: number, bytes: 2 | 4): Buffer {
	const buffer = Buffer.alloc(bytes);
	buffer.writeUIntBE(value, 0, bytes);
	return buffer;
}

/** A number of any size behind its length in bits: RFC 4880, 3.2. */
function integer(bytes: Buffer): Buffer {
	const first = bytes.findIndex((byte) => byte !== 0);
	if (first < 0) return word(0, 2);
	const rest = bytes.subarray(first);
	const bits = 8 * rest.length - Math.clz32(rest[0] ?? 0) + 24;
	return Buffer.concat([word(bits, 2), rest]);
}

/** RFC 4880, 4.2.2: a packet of less than 8384 bytes, in the new format. */
function packet(tag: number, body: Buffer): Buffer {
	const { length } = body;
	const size = length < 192 ? [length] : [((length - 192) >> 8) + 192, (length - 192) & 255];
	return Buffer.concat([Buffer.from([0xc0 | tag, ...size]), body]);
}

/** RFC 4880, 5.2.3.1. */
function subpacket(type: number, body: Buffer): Buffer {
	return Buffer.concat([Buffer.from([body.length + 1, type]), body]);
}

/** RFC 4880, 6.1. */
function checksum(bytes: Buffer): number {
	let crc = 0xb704ce;
	for (const byte of bytes) {
		crc ^= byte << 16;
		for (let bit = 0; bit < 8; bit++) {
			crc <<= 1;
			if (crc & 0x1000000) crc ^= 0x1864cfb;
		}
	}
	return crc & 0xffffff;
}

/** RFC 4880, 6.2. */
function armour(kind: string, bytes: Buffer): string {
	const lines = bytes.toString("base64").match(/.{1,64}/gu) ?? [];
	const sum = word(checksum(bytes), 4).subarray(1).toString("base64");
	return `-----BEGIN PGP ${kind}-----\n\n${lines.join("\n")}\n=${sum}\n-----END PGP ${kind}-----\n`;
}

export interface PgpKey {
	/** In hexadecimal, upper case. */
	readonly fingerprint: string;
	/** The public key, armoured. */
	readonly publicKey: string;
	/** A signature packet over these bytes; `date` in seconds since 1970. */
	sign(bytes: Buffer, date: number): Buffer;
	/** The same, armoured, as a file beside what it signs. */
	detached(text: string, date: number): string;
	/** The text with its signature below it: RFC 4880, 7. */
	clear(text: string, date: number): string;
}

/** @param key an Ed25519 private key. Throws for any other. */
export function pgpKey(key: KeyObject): PgpKey {
	const { crv, x } = createPublicKey(key).export({ format: "jwk" });
	if (crv !== "Ed25519" || x === undefined) throw new Error("not an Ed25519 key");
	const point = Buffer.concat([Buffer.from([0x40]), Buffer.from(x, "base64url")]);
	const body = Buffer.concat([
		Buffer.from([4]),
		word(keyDate, 4),
		Buffer.from([algorithm.edDsa]),
		curve,
		integer(point),
	]);
	const framed = Buffer.concat([Buffer.from([0x99]), word(body.length, 2), body]);
	const fingerprint = createHash("sha1").update(framed).digest();

	const signature = (type: number, data: Buffer, date: number, more: readonly Buffer[] = []): Buffer => {
		if (date < keyDate) throw new Error(`nothing can be signed at ${date}, before the key was made`);
		const hashed = Buffer.concat([
			subpacket(33, Buffer.concat([Buffer.from([4]), fingerprint])),
			subpacket(2, word(date, 4)),
			...more,
		]);
		const head = Buffer.concat([
			Buffer.from([4, type, algorithm.edDsa, algorithm.sha512]),
			word(hashed.length, 2),
			hashed,
		]);
		const trailer = Buffer.concat([Buffer.from([4, 0xff]), word(head.length, 4)]);
		const digest = createHash("sha512").update(data).update(head).update(trailer).digest();
		const made = sign(null, digest, key);
		const issuer = subpacket(16, fingerprint.subarray(-8));
		return packet(
			packetTag.signature,
			Buffer.concat([
				head,
				word(issuer.length, 2),
				issuer,
				digest.subarray(0, 2),
				integer(made.subarray(0, 32)),
				integer(made.subarray(32)),
			]),
		);
	};

	const name = Buffer.from(userId);
	const named = Buffer.concat([framed, Buffer.from([0xb4]), word(name.length, 4), name]);
	// What the key may do (certify, sign), and the hash that it wants: RFC 4880, 5.2.3.21 and 5.2.3.8.
	const about = [subpacket(27, Buffer.from([3])), subpacket(21, Buffer.from([algorithm.sha512]))];
	const publicKey = Buffer.concat([
		packet(packetTag.publicKey, body),
		packet(packetTag.userId, name),
		signature(signatureType.certification, named, keyDate, about),
	]);
	return {
		fingerprint: fingerprint.toString("hex").toUpperCase(),
		publicKey: armour("PUBLIC KEY BLOCK", publicKey),
		sign: (bytes, date) => signature(signatureType.binary, bytes, date),
		detached: (text, date) => armour("SIGNATURE", signature(signatureType.binary, Buffer.from(text), date)),
		clear(text, date) {
			const lines = text.replace(/\n$/u, "").split("\n");
			// What is signed has no blanks at the ends of lines, and none of its last line's end.
			const canonical = lines.map((line) => line.trimEnd()).join("\r\n");
			const escaped = lines.map((line) => (line.startsWith("-") ? `- ${line}` : line)).join("\n");
			const made = signature(signatureType.text, Buffer.from(canonical), date);
			return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${escaped}\n${armour("SIGNATURE", made)}`;
		},
	};
}
