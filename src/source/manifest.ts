/**
 * The manifest of a signed policy directory: which files it holds, as SHA-256
 * hashes, under a serial number that only grows. Pure; the signature over its
 * bytes is policy-signature.ts's.
 */

import * as v from "valibot";

/** Hidden, so that neither is taken for a policy. Both lie at the top of the policy directory. */
export const manifestFile = ".portward-manifest.json";
export const signatureFile = ".portward-manifest.sig";

const format = "portward-policy-manifest-1";

/** As many entries as are looked at in a policy directory. */
const mostFiles = 100_000;

export interface ManifestFile {
	/** Relative to the policy directory, with `/`. */
	readonly path: string;
	/** Of the file's bytes, in lower-case hexadecimal. */
	readonly sha256: string;
}

export interface Manifest {
	/** 1..2^53-1. */
	readonly serial: number;
	/** When it was signed, RFC 3339; for people, nothing is decided by it. */
	readonly created: string;
	/** Sorted by path in UTF-16 units, each path once. */
	readonly files: readonly ManifestFile[];
	/**
	 * The files of address groups, in the same order: relative to the policy directory, also out of it, or absolute. Absent
	 * where there are none, so that earlier versions read it.
	 */
	readonly feeds?: readonly ManifestFile[];
}

export type ManifestResult =
	| { readonly ok: true; readonly manifest: Manifest }
	| { readonly ok: false; readonly message: string };

const shape = v.strictObject({
	format: v.literal(format),
	serial: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
	created: v.pipe(v.string(), v.regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/)),
	files: v.pipe(
		v.array(
			v.strictObject({
				path: v.pipe(v.string(), v.maxLength(4096), v.check(isRelative)),
				sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
			}),
		),
		v.maxLength(mostFiles),
		v.check((files) => isSorted(files)),
	),
	feeds: v.exactOptional(
		v.pipe(
			v.array(
				v.strictObject({
					path: v.pipe(v.string(), v.minLength(1), v.maxLength(4096)),
					sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
				}),
			),
			v.maxLength(mostFiles),
			v.check((files) => isSorted(files)),
		),
	),
});

function isSorted(files: { readonly path: string }[]): boolean {
	return files.every(({ path }, index) => index === 0 || (files[index - 1]?.path ?? "") < path);
}

/** A path that leads to something below the directory, whose parts are not hidden. */
function isRelative(path: string): boolean {
	return path.isWellFormed() && !path.includes("\0") && path.split("/").every((part) => /^[^.]/u.test(part));
}

/** The manifest in a text, or what is wrong with it. Never throws. */
export function parseManifest(text: string): ManifestResult {
	const parsed = v.safeParse(shape, parseJson(text), { abortEarly: true });
	if (parsed.success) {
		const { serial, created, files, feeds } = parsed.output;
		return { ok: true, manifest: { serial, created, files, ...(feeds === undefined ? {} : { feeds }) } };
	}
	const [issue] = parsed.issues;
	const where = issue.path?.map(({ key }) => String(key).slice(0, 80)).join(".") ?? "";
	return {
		ok: false,
		message: where === "" ? `it is not a ${format}` : `its ${where} is not what it must be`,
	};
}

/** The manifest as text, ending in a newline. `files` may be in any order; each path must stand once. */
export function formatManifest({ serial, created, files, feeds = [] }: Manifest): string {
	const beside = feeds.length === 0 ? {} : { feeds: inOrder(feeds) };
	return `${JSON.stringify({ format, serial, created, files: inOrder(files), ...beside }, null, "\t")}\n`;
}

function inOrder(files: readonly ManifestFile[]): ManifestFile[] {
	return files
		.map(({ path, sha256 }) => ({ path, sha256 }))
		.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Undefined for what is no JSON, or nests deeper than the parser goes. */
function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
