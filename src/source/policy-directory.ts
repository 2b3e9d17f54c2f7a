/**
 * Reads the policy directory: recursively, without dotfiles, following links
 * only as far as they stay inside. Files that did not change since the last
 * reading are not read again. Where signatures are required, the directory is
 * taken whole or not at all.
 */

import { createHash } from "node:crypto";
import {
	type BigIntStats,
	closeSync,
	constants,
	fstatSync,
	lstatSync,
	openSync,
	readFileSync,
	type Stats,
} from "node:fs";
import { errorCode, errorText, HeldDirectory, type HeldOptions } from "./held-directory.ts";
import { InsidePath } from "./inside-path.ts";
import { manifestFile, signatureFile } from "./manifest.ts";
import { distrust } from "./permissions.ts";
import {
	maxManifestBytes,
	maxSignatureBytes,
	type Problem,
	type SignedSet,
	verifySigned,
} from "./policy-signature.ts";
import { PolicyWalk } from "./policy-walk.ts";

/** Files larger than this are refused: as JSON some 200 000 address blocks are read, as YAML 80 000. */
export const maxFileBytes = 16 * 1024 * 1024;
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
	/** Hashes of the files of groups that were signed with it, by their names in the manifest; none without a set. */
	readonly feeds: ReadonlyMap<string, string>;
}

interface CachedFile {
	readonly signature: string;
	readonly text: string;
	readonly sha256: string;
}

/** What is said of a problem, and what to do about it. */
type Said = Pick<Problem, "message" | "hint">;

const noFeeds: PolicyDirectory["feeds"] = new Map();
const nothing = { files: [], signed: { manifest: null, signature: null }, set: null, feeds: noFeeds };

/** The digest is that of the bytes; the text is what they decode to. */
function decode(bytes: Buffer): { text: string; sha256: string } {
	return { text: bytes.toString("utf8"), sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Who may write a file is among it: whoever changes that changes its second time. */
function signatureOf({ dev, ino, size, mode, mtimeNs, ctimeNs }: BigIntStats): string {
	return `${dev}:${ino}:${size}:${mode}:${mtimeNs}:${ctimeNs}`;
}

export class PolicyDirectoryReader {
	readonly #directory: string;
	readonly #options: HeldOptions;
	readonly #absent: Said | null;
	#cache = new Map<string, CachedFile>();

	/** @param absent what is said where there is no such directory; null: how to make one. */
	constructor(directory: string, options: HeldOptions, absent: Said | null = null) {
		this.#directory = directory;
		this.#absent = absent;
		this.#options = { checkPermissions: options.checkPermissions };
	}

	/** @param trustedKeys where signatures are required: whose, as "ed25519:BASE64". Null where they are not. */
	read(trustedKeys: readonly string[] | null = null): PolicyDirectory {
		const opened = HeldDirectory.open(this.#directory, "the policy directory", this.#options);
		if (opened.ok) {
			using root = opened.directory;
			return this.#readAll(root, trustedKeys);
		}
		const { reason, message } = opened;
		const code = reason === "untrusted" ? "insecure-permissions" : "unreadable-directory";
		if (reason === "absent" && this.#absent !== null)
			return { ...nothing, problem: { code, ...this.#absent } };
		const absent = `create ${this.#directory}, or name another with --policy-dir`;
		return { ...nothing, problem: { code, message, hint: opened.hint === "" ? absent : opened.hint } };
	}

	#readAll(root: HeldDirectory, trustedKeys: readonly string[] | null): PolicyDirectory {
		const files: PolicyFile[] = [];
		const cache = new Map<string, CachedFile>();
		const refused = (path: string, problem: Problem) => {
			files.push({ path, text: null, sha256: null, problem });
		};
		const file = (path: string, directory: HeldDirectory, name: string) => {
			files.push(this.#readFile(path, directory.at(name), cache));
		};
		const problem = new PolicyWalk(root, this.#options, { file, refused }).run();
		if (problem) return { ...nothing, problem };
		this.#cache = cache;
		files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
		const manifest = this.#readHidden(root, manifestFile, maxManifestBytes);
		const signature = this.#readHidden(root, signatureFile, maxSignatureBytes);
		const signed = { manifest: manifest.bytes, signature: signature.bytes };
		if (trustedKeys === null) return { files, problem: null, signed, set: null, feeds: noFeeds };
		const unread = manifest.problem ?? signature.problem;
		if (unread !== null) return { ...nothing, problem: unread };
		const verified = verifySigned({ files, ...signed }, trustedKeys);
		if (!verified.ok) return { ...nothing, problem: verified.problem };
		const feeds = new Map(verified.manifest.feeds?.map(({ path, sha256 }) => [path, sha256]));
		return { files, problem: null, signed, set: verified.set, feeds };
	}

	#readFile(path: string, real: string, cache: Map<string, CachedFile>): PolicyFile {
		const cached = this.#cache.get(path);
		if (cached !== undefined && signatureOf(lstatSync(real, { bigint: true })) === cached.signature) {
			cache.set(path, cached);
			return { path, text: cached.text, sha256: cached.sha256, problem: null };
		}
		const read = this.#readBytes(real, maxFileBytes);
		if (read.problem !== null) return { path, text: null, sha256: null, problem: read.problem };
		const file = { signature: read.signature, ...decode(read.bytes) };
		cache.set(path, file);
		return { path, text: file.text, sha256: file.sha256, problem: null };
	}

	/** Null where it is not there. */
	#readHidden(
		root: HeldDirectory,
		name: string,
		maxBytes: number,
	): { bytes: Buffer | null; problem: Problem | null } {
		try {
			if (root.look(name) === null) return { bytes: null, problem: null };
			// Mounted config maps hold links, as with policies.
			using inside = new InsidePath(root, root, name, (stats) => this.#distrust("this directory", stats));
			if (inside.problem !== null) return { bytes: null, problem: inside.problem };
			const read = this.#readBytes(inside.directory.at(inside.name ?? "."), maxBytes);
			return read.problem === null
				? { bytes: read.bytes, problem: null }
				: { bytes: null, problem: read.problem };
		} catch (error) {
			const code = errorCode(error);
			if (code === null) throw error;
			if (code === "ENOENT") return { bytes: null, problem: null };
			const message = `${name}: ${errorText(error)}`;
			return { bytes: null, problem: { code: "unreadable-file", message, hint: "make it readable" } };
		}
	}

	/** What a resolved name is, if it may be believed. */
	#readBytes(
		real: string,
		maxBytes: number,
	): { problem: Problem } | { problem: null; signature: string; bytes: Buffer } {
		// O_NONBLOCK: opening a FIFO must not hang the daemon; O_NOFOLLOW: the name was resolved and checked already.
		const descriptor = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		try {
			const stats = fstatSync(descriptor, { bigint: true });
			if (!stats.isFile()) {
				return {
					problem: { code: "not-a-file", message: "this is not a regular file", hint: "remove it" },
				};
			}
			const problem = this.#distrust("this file", { uid: Number(stats.uid), mode: Number(stats.mode) });
			if (problem !== null) return { problem };
			if (stats.size > BigInt(maxBytes)) {
				return {
					problem: {
						code: "file-too-large",
						message: `the file has ${stats.size} bytes; at most ${maxBytes} are read`,
						hint: "split it into several files",
					},
				};
			}
			return { problem: null, signature: signatureOf(stats), bytes: readFileSync(descriptor) };
		} finally {
			closeSync(descriptor);
		}
	}

	#distrust(what: string, stats: Pick<Stats, "uid" | "mode">): Problem | null {
		const problem = this.#options.checkPermissions ? distrust(what, stats) : null;
		return problem && { code: "insecure-permissions", ...problem };
	}
}
