/** Ed25519 keys (RFC 8032) in the forms that people keep them in. */

import {
	createPrivateKey,
	createPublicKey,
	generateKeyPairSync,
	type KeyObject,
	sign,
	verify,
} from "node:crypto";
import { isSmallOrder, smallOrderMessage } from "../base/small-order.ts";

const prefix = "ed25519:";
/** SubjectPublicKeyInfo of Ed25519 up to the 32 bytes of the key (RFC 8410, section 4). */
const spkiHead = Buffer.from("302a300506032b6570032100", "hex");
const publicBytes = 32;
export const signatureBytes = 64;

export type KeyResult<K> =
	| { readonly ok: true; readonly key: K }
	| { readonly ok: false; readonly message: string };

/** The bytes behind a base64 text (RFC 4648, section 4) that is written in the only way that there is; else null. */
export function strictBase64(text: string, length: number): Buffer | null {
	const bytes = Buffer.from(text, "base64");
	return bytes.length === length && bytes.toString("base64") === text ? bytes : null;
}

/** "ed25519:BASE64", as `trustedKeys` has it. @param key an Ed25519 key, private or public. */
export function publicText(key: KeyObject): string {
	const publicKey = key.type === "private" ? createPublicKey(key) : key;
	const der = publicKey.export({ type: "spki", format: "der" });
	return prefix + der.subarray(spkiHead.length).toString("base64");
}

/** A public key as "ed25519:BASE64", bare base64 of its 32 bytes or its SubjectPublicKeyInfo, or PEM. */
export function parsePublicKey(text: string): KeyResult<KeyObject> {
	const trimmed = text.trim();
	const message = "this is no Ed25519 public key: write ed25519:BASE64, or PEM";
	if (trimmed.includes("PRIVATE KEY"))
		return { ok: false, message: "this is a private key; keep it to yourself" };
	if (trimmed.startsWith("-----BEGIN")) {
		const read = fromKeyObject(() => createPublicKey(trimmed), message);
		return read.ok ? parsePublicKey(publicText(read.key)) : read;
	}
	const base64 = trimmed.startsWith(prefix) ? trimmed.slice(prefix.length) : trimmed;
	const raw = strictBase64(base64, publicBytes);
	const der =
		raw === null ? strictBase64(base64, spkiHead.length + publicBytes) : Buffer.concat([spkiHead, raw]);
	if (der === null) return { ok: false, message };
	if (isSmallOrder(der.subarray(spkiHead.length))) return { ok: false, message: smallOrderMessage };
	return fromKeyObject(() => createPublicKey({ key: der, format: "der", type: "spki" }), message);
}

/** A private key as PEM of PKCS #8, as openssl genpkey and `portward policy keygen` write it. */
export function parsePrivateKey(text: string): KeyResult<KeyObject> {
	if (text.includes("ENCRYPTED"))
		return { ok: false, message: "the key is encrypted; decrypt it with openssl pkey first" };
	return fromKeyObject(
		() => createPrivateKey(text),
		"this is no Ed25519 private key: make one with portward policy keygen, or openssl genpkey -algorithm ed25519",
	);
}

function fromKeyObject(make: () => KeyObject, message: string): KeyResult<KeyObject> {
	try {
		const key = make();
		return key.asymmetricKeyType === "ed25519" ? { ok: true, key } : { ok: false, message };
	} catch (error) {
		if (error instanceof Error) return { ok: false, message };
		throw error;
	}
}

/** A new private key as PEM of PKCS #8. */
export function generatePrivateKey(): string {
	return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** 64 bytes. */
export function signBytes(bytes: Uint8Array, key: KeyObject): Buffer {
	return sign(null, bytes, key);
}

/** Whether `signature` is that of `bytes` by the owner of `key`. */
export function verifyBytes(bytes: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
	return verify(null, bytes, key, signature);
}
