/**
 * Reads the policy directory: recursively, without dotfiles, following links
 * only as far as they stay inside. Files that did not change since the last
 * reading are not read again. Where signatures are required, the directory is
 * taken whole or not at all.
 */

import { createHash } from "node:crypto";
import {
	closeSync,
	constants,
	fstatSync,
	openSync,
	readdirSync,
	readFileSync,
	realpathSync,
	statSync,
} from "node:fs";
import { join, sep } from "node:path";
import { manifestFile, signatureFile } from "../policy/manifest.ts";
import { distrust } from "./permissions.ts";
import {
	maxManifestBytes,
	maxSignatureBytes,
	type Problem,
	type SignedSet,
	verifySigned,
} from "./policy-signature.ts";

/** Files larger than this are refused: 16 MiB hold some 300 000 address blocks. */
export const maxFileBytes = 16 * 1024 * 1024;
/** Directory entries looked at before the reading gives up. */
export const maxEntries = 100_000;
/** How deep directories nest. */
const maxDepth = 16;

const policyFile = /\.(ya?ml|json)$/i;

/** Whether a file of that name, unless it is hidden, is read. */
export function isPolicyFile(name: string): boolean {
	return policyFile.test(name);
}

export interface PolicyFile {
	/** Relative to the policy directory, with `/`. */
	readonly path: string;
	/** Null when the file could not be read or must not be trusted; `problem` says why. */
	readonly text: string | null;
	/** Of the bytes behind `text`, in hexadecimal; null where there is no text. */
	readonly sha256: string | null;
	readonly problem: Problem | null;
}

/** The manifest and its signature as they lie in the directory, null where they do not or cannot be read. */
export interface ManifestBytes {
	readonly manifest: Uint8Array | null;
	readonly signature: Uint8Array | null;
}

export interface PolicyDirectory {
	/** Sorted by path. */
	readonly files: readonly PolicyFile[];
	/** Set when the directory as a whole could not be read: then `files` says nothing. */
	readonly problem: Problem | null;
	readonly signed: ManifestBytes;
	/** Which signed set it is; null unless signatures were asked for. */
	readonly set: SignedSet | null;
}

interface CachedFile {
	readonly signature: string;
	readonly text: string;
	readonly sha256: string;
}

/** What one reading may still look at. `visited` holds real directories: a link back up must not show them again. */
interface Budget {
	entries: number;
	readonly visited: Set<string>;
}

const linkOutside: Problem = {
	code: "link-outside",
	message: "the link leads out of the policy directory",
	hint: "copy the file into it",
};

const nothing = { files: [], signed: { manifest: null, signature: null }, set: null };

/** The digest is that of the bytes; the text is what they decode to. */
function decode(bytes: Buffer): { text: string; sha256: string } {
	return { text: bytes.toString("utf8"), sha256: createHash("sha256").update(bytes).digest("hex") };
}

function errorText(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

export class PolicyDirectoryReader {
	readonly #directory: string;
	readonly #checkPermissions: boolean;
	#cache = new Map<string, CachedFile>();

	constructor(directory: string, options: { checkPermissions: boolean }) {
		this.#directory = directory;
		this.#checkPermissions = options.checkPermissions;
	}

	/** @param trustedKeys where signatures are required: whose, as "ed25519:BASE64". Null where they are not. */
	read(trustedKeys: readonly string[] | null = null): PolicyDirectory {
		let root: string;
		try {
			root = realpathSync(this.#directory);
			const problem = this.#distrust("the policy directory", root);
			if (problem) return { ...nothing, problem };
		} catch (error) {
			return {
				...nothing,
				problem: {
					code: "unreadable-directory",
					message: `the policy directory cannot be read: ${errorText(error)}`,
					hint: `create ${this.#directory}, or name another with --policy-dir`,
				},
			};
		}
		const files: PolicyFile[] = [];
		const cache = new Map<string, CachedFile>();
		const budget = { entries: maxEntries, visited: new Set([root]) };
		const problem = this.#walk(root, "", 0, files, cache, budget);
		if (problem) return { ...nothing, problem };
		this.#cache = cache;
		files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
		const manifest = this.#readHidden(root, manifestFile, maxManifestBytes);
		const signature = this.#readHidden(root, signatureFile, maxSignatureBytes);
		const signed = { manifest: manifest.bytes, signature: signature.bytes };
		if (trustedKeys === null) return { files, problem: null, signed, set: null };
		const unread = manifest.problem ?? signature.problem;
		if (unread !== null) return { ...nothing, problem: unread };
		const verified = verifySigned({ files, ...signed }, trustedKeys);
		return verified.ok
			? { files, problem: null, signed, set: verified.set }
			: { ...nothing, problem: verified.problem };
	}

	/** Returns a problem only where the directory as a whole cannot be known. */
	#walk(
		root: string,
		prefix: string,
		depth: number,
		files: PolicyFile[],
		cache: Map<string, CachedFile>,
		budget: Budget,
	): Problem | null {
		const directory = join(root, prefix);
		let names: string[];
		try {
			// Sorted, so that of two ways to a directory every machine takes the same.
			names = readdirSync(directory).sort();
		} catch (error) {
			return {
				code: "unreadable-directory",
				message: `${prefix || "the policy directory"} cannot be read: ${errorText(error)}`,
				hint: "make it readable for root",
			};
		}
		for (const name of names) {
			if (name.startsWith(".")) continue;
			budget.entries -= 1;
			if (budget.entries < 0) {
				return {
					code: "too-many-files",
					message: `the policy directory holds more than ${maxEntries} entries`,
					hint: "keep other files out of it, or put several policies into one file",
				};
			}
			const path = prefix === "" ? name : `${prefix}/${name}`;
			const entry = this.#enter(root, path, depth, files, cache, budget);
			if (entry) return entry;
		}
		return null;
	}

	#enter(
		root: string,
		path: string,
		depth: number,
		files: PolicyFile[],
		cache: Map<string, CachedFile>,
		budget: Budget,
	): Problem | null {
		const refuse = (code: string, message: string, hint: string) => {
			files.push({ path, text: null, sha256: null, problem: { code, message, hint } });
		};
		try {
			const real = realpathSync(join(root, path));
			if (real !== root && !real.startsWith(root + sep)) {
				if (policyFile.test(path)) refuse(linkOutside.code, linkOutside.message, linkOutside.hint);
				return null;
			}
			const stats = statSync(real);
			if (stats.isDirectory()) {
				if (budget.visited.has(real)) return null;
				budget.visited.add(real);
				if (depth >= maxDepth) {
					refuse("too-deep", `directories nest deeper than ${maxDepth}`, "move the policies up");
					return null;
				}
				const problem = this.#distrust("this directory", real);
				if (problem) {
					files.push({ path, text: null, sha256: null, problem });
					return null;
				}
				return this.#walk(root, path, depth + 1, files, cache, budget);
			}
			if (!policyFile.test(path)) return null;
			files.push(this.#readFile(path, real, cache));
		} catch (error) {
			if (policyFile.test(path))
				refuse("unreadable-file", errorText(error), "make it readable, or remove it");
		}
		return null;
	}

	#readFile(path: string, real: string, cache: Map<string, CachedFile>): PolicyFile {
		const cached = this.#cache.get(path);
		const read = this.#readBytes(real, maxFileBytes, cached?.signature);
		if (read.problem !== null) return { path, text: null, sha256: null, problem: read.problem };
		const file =
			read.bytes === null && cached !== undefined
				? cached
				: { signature: read.signature, ...decode(read.bytes ?? Buffer.alloc(0)) };
		cache.set(path, file);
		return { path, text: file.text, sha256: file.sha256, problem: null };
	}

	/** Null where it is not there. */
	#readHidden(
		root: string,
		name: string,
		maxBytes: number,
	): { bytes: Buffer | null; problem: Problem | null } {
		try {
			// Mounted config maps hold links, as with policies.
			const real = realpathSync(join(root, name));
			if (!real.startsWith(root + sep)) return { bytes: null, problem: linkOutside };
			const read = this.#readBytes(real, maxBytes);
			return read.problem === null
				? { bytes: read.bytes, problem: null }
				: { bytes: null, problem: read.problem };
		} catch (error) {
			if (error instanceof Error && "code" in error && error.code === "ENOENT")
				return { bytes: null, problem: null };
			return {
				bytes: null,
				problem: {
					code: "unreadable-file",
					message: `${name}: ${errorText(error)}`,
					hint: "make it readable",
				},
			};
		}
	}

	/** What a resolved name is, if it may be believed: its bytes, or null where its signature is `known`. */
	#readBytes(
		real: string,
		maxBytes: number,
		known?: string,
	): { problem: Problem } | { problem: null; signature: string; bytes: Buffer | null } {
		// O_NONBLOCK: opening a FIFO must not hang the daemon; O_NOFOLLOW: the name was resolved and checked already.
		const descriptor = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		try {
			const stats = fstatSync(descriptor, { bigint: true });
			if (!stats.isFile()) {
				return {
					problem: { code: "not-a-file", message: "this is not a regular file", hint: "remove it" },
				};
			}
			if (this.#checkPermissions) {
				const problem = distrust("this file", { uid: Number(stats.uid), mode: Number(stats.mode) });
				if (problem) return { problem: { code: "insecure-permissions", ...problem } };
			}
			if (stats.size > BigInt(maxBytes)) {
				return {
					problem: {
						code: "file-too-large",
						message: `the file has ${stats.size} bytes; at most ${maxBytes} are read`,
						hint: "split it into several files",
					},
				};
			}
			const signature = `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
			return { problem: null, signature, bytes: signature === known ? null : readFileSync(descriptor) };
		} finally {
			closeSync(descriptor);
		}
	}

	#distrust(what: string, path: string): Problem | null {
		if (!this.#checkPermissions) return null;
		const problem = distrust(what, statSync(path));
		return problem && { code: "insecure-permissions", ...problem };
	}
}
