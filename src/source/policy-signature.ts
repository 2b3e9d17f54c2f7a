/**
 * Whether a policy directory is what the owner of a trusted key signed. What
 * is checked are the very bytes that the policies are parsed from; nothing is
 * read a second time. The manifest is not parsed before its signature holds.
 */

import type { KeyObject } from "node:crypto";
import { createHash } from "node:crypto";
import { formatManifest, type Manifest, manifestFile, parseManifest, signatureFile } from "./manifest.ts";
import {
	parsePublicKey,
	publicText,
	signatureBytes,
	signBytes,
	strictBase64,
	verifyBytes,
} from "./signing-key.ts";

export interface Problem {
	readonly code: string;
	readonly message: string;
	readonly hint: string;
}

/** One file as it was read. */
export interface HashedFile {
	readonly path: string;
	/** Of the bytes that were read; null where the file could not be read, or must not be trusted. */
	readonly sha256: string | null;
}

/** A directory as it was read: every policy file, and the two hidden ones where they are there. */
export interface SignedRead {
	readonly files: readonly HashedFile[];
	readonly manifest: Uint8Array | null;
	readonly signature: Uint8Array | null;
}

/** Which signed set it is. */
export interface SignedSet {
	readonly serial: number;
	/** SHA-256 of the manifest, in hexadecimal: the same serial must not come with another one. */
	readonly digest: string;
}

export type SignatureResult =
	| { readonly ok: true; readonly set: SignedSet; readonly manifest: Manifest; readonly key: string }
	| { readonly ok: false; readonly problem: Problem };

/** Larger ones are not read: room for the most files with paths of 250 characters. */
export const maxManifestBytes = 32 * 1024 * 1024;
export const maxSignatureBytes = 1024;

/** Names that are told of; there may be thousands. */
const toldNames = 5;

const again = "sign the directory anew: portward policy sign DIR --key FILE";

/** Checks everything but the serial. `trustedKeys` are of the form "ed25519:BASE64". */
export function verifySigned(read: SignedRead, trustedKeys: readonly string[]): SignatureResult {
	const refuse = (code: string, message: string, hint = again): SignatureResult => ({
		ok: false,
		problem: { code, message, hint },
	});
	if (read.manifest === null || read.signature === null) {
		const missing = read.manifest === null ? manifestFile : signatureFile;
		return refuse("unsigned-policies", `the policies are not signed: there is no ${missing}`);
	}
	const line = parseSignature(read.signature);
	if (line === null) return refuse("bad-signature", `${signatureFile} is not a signature`);
	if (!trustedKeys.includes(line.key)) {
		const hint = "sign with a trusted key, or add this one to trustedKeys in the config";
		return refuse("unknown-key", `the policies are signed with ${line.key}, which is not trusted`, hint);
	}
	const key = parsePublicKey(line.key);
	if (!key.ok || !verifyBytes(read.manifest, line.signature, key.key))
		return refuse("bad-signature", `${signatureFile} does not fit ${manifestFile}`);
	const parsed = parseManifest(Buffer.from(read.manifest).toString("utf8"));
	if (!parsed.ok) return refuse("bad-manifest", `${manifestFile} cannot be used: ${parsed.message}`);
	const { manifest } = parsed;
	const listed = new Map(manifest.files.map(({ path, sha256 }) => [path, sha256]));
	const present = new Set(read.files.map(({ path }) => path));
	const unreadable = read.files.filter(({ sha256 }) => sha256 === null);
	const unlisted = read.files.filter(({ path }) => !listed.has(path));
	const missing = manifest.files.filter(({ path }) => !present.has(path));
	const altered = read.files.filter(({ path, sha256 }) => listed.get(path) !== sha256);
	if (unreadable.length > 0)
		return refuse("unreadable-policies", `files of the signed set cannot be read: ${names(unreadable)}`);
	if (unlisted.length > 0)
		return refuse("unlisted-policies", `files are not among those that were signed: ${names(unlisted)}`);
	if (missing.length > 0) return refuse("missing-policies", `signed files are missing: ${names(missing)}`);
	if (altered.length > 0)
		return refuse("altered-policies", `files are not as they were signed: ${names(altered)}`);
	const digest = createHash("sha256").update(read.manifest).digest("hex");
	return { ok: true, set: { serial: manifest.serial, digest }, manifest, key: line.key };
}

/** The content of both hidden files. */
export function signManifest(manifest: Manifest, key: KeyObject): { manifest: Buffer; signature: Buffer } {
	const bytes = Buffer.from(formatManifest(manifest));
	const line = `${publicText(key)} ${signBytes(bytes, key).toString("base64")}\n`;
	return { manifest: bytes, signature: Buffer.from(line) };
}

/** `ed25519:BASE64 BASE64` and a newline: the key and the signature, each in the only form that there is. */
function parseSignature(bytes: Uint8Array): { key: string; signature: Buffer } | null {
	const text = Buffer.from(bytes).toString("latin1");
	const [, key = "", encoded = ""] =
		/^(ed25519:[A-Za-z0-9+/]{43}=) ([A-Za-z0-9+/]{86}==)\n$/.exec(text) ?? [];
	const signature = strictBase64(encoded, signatureBytes);
	return signature && { key, signature };
}

function names(files: readonly { readonly path: string }[]): string {
	const told = files.slice(0, toldNames).map(({ path }) => path.slice(0, 200));
	const more = files.length - told.length;
	return told.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
