/**
 * Reads the policy directory: recursively, without dotfiles, following links
 * only as far as they stay inside. Files that did not change since the last
 * reading are not read again.
 */

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
import { distrust } from "./permissions.ts";

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
	readonly problem: { readonly code: string; readonly message: string; readonly hint: string } | null;
}

export interface PolicyDirectory {
	/** Sorted by path. */
	readonly files: readonly PolicyFile[];
	/** Set when the directory as a whole could not be read: then `files` says nothing. */
	readonly problem: { readonly code: string; readonly message: string; readonly hint: string } | null;
}

interface CachedFile {
	readonly signature: string;
	readonly text: string;
}

/** What one reading may still look at. `visited` holds real directories: a link back up must not show them again. */
interface Budget {
	entries: number;
	readonly visited: Set<string>;
}

type Problem = NonNullable<PolicyFile["problem"]>;

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

	read(): PolicyDirectory {
		let root: string;
		try {
			root = realpathSync(this.#directory);
			const problem = this.#distrust("the policy directory", root);
			if (problem) return { files: [], problem };
		} catch (error) {
			return {
				files: [],
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
		if (problem) return { files: [], problem };
		this.#cache = cache;
		files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
		return { files, problem: null };
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
			names = readdirSync(directory);
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
			files.push({ path, text: null, problem: { code, message, hint } });
		};
		try {
			const real = realpathSync(join(root, path));
			if (real !== root && !real.startsWith(root + sep)) {
				if (policyFile.test(path))
					refuse("link-outside", "the link leads out of the policy directory", "copy the file into it");
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
					files.push({ path, text: null, problem });
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
		// O_NONBLOCK: opening a FIFO must not hang the daemon; O_NOFOLLOW: the name was resolved and checked already.
		const descriptor = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		try {
			const stats = fstatSync(descriptor, { bigint: true });
			if (!stats.isFile()) {
				return {
					path,
					text: null,
					problem: { code: "not-a-file", message: "this is not a regular file", hint: "remove it" },
				};
			}
			if (this.#checkPermissions) {
				const problem = distrust("this file", { uid: Number(stats.uid), mode: Number(stats.mode) });
				if (problem) return { path, text: null, problem: { code: "insecure-permissions", ...problem } };
			}
			if (stats.size > BigInt(maxFileBytes)) {
				return {
					path,
					text: null,
					problem: {
						code: "file-too-large",
						message: `the file has ${stats.size} bytes; at most ${maxFileBytes} are read`,
						hint: "split it into several files",
					},
				};
			}
			const signature = `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
			const cached = this.#cache.get(path);
			const text = cached?.signature === signature ? cached.text : readFileSync(descriptor, "utf8");
			cache.set(path, { signature, text });
			return { path, text, problem: null };
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
