/** One look at a directory tree: what to watch to notice the next change, and a signature of what is there now. */

import { type BigIntStats, type Dirent, lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";

import { manifestFile, signatureFile } from "./manifest.ts";

/** As ELOOP of path_resolution(7). */
const MAX_LINKS = 40;
/** A tree beyond these is still noticed to change in its first part; the reader of policies has limits of its own. */
const MAX_DIRECTORIES = 4096;
const MAX_ENTRIES = 100_000;
/** stat calls under way at once. */
const PARALLEL = 64;

export interface DirectoryScan {
	/**
	 * Directories to watch, by path. Null: every entry matters. Otherwise only the named ones, which are
	 * links or directories on the way to the tree.
	 */
	readonly watch: ReadonlyMap<string, ReadonlySet<string> | null>;
	/** How many entries it has, up to a bound. */
	readonly entries: number;
	/** Changes whenever an entry comes, goes, or is replaced, written or given other permissions. */
	readonly signature: string;
}

type Later<T> = T | Promise<T>;

/** Calls of the file system; what cannot be had is null, or nothing. */
export interface Files {
	lstat(path: string): Later<BigIntStats | null>;
	stat(path: string): Later<BigIntStats | null>;
	readlink(path: string): Later<string | null>;
	list(path: string): Later<Dirent[]>;
}

/** On the runtime's threads, which many entries may keep for a while. */
export const waitingFiles: Files = {
	lstat: (path) => lstat(path, { bigint: true }).catch(() => null),
	stat: (path) => stat(path, { bigint: true }).catch(() => null),
	readlink: (path) => readlink(path).catch(() => null),
	list: (path) => readdir(path, { withFileTypes: true }).catch(() => []),
};

function orElse<T>(call: () => T, otherwise: T): T {
	try {
		return call();
	} catch {
		return otherwise;
	}
}

/** At once, for few entries: each call on another thread would wake that thread, and this one again. */
export const quickFiles: Files = {
	lstat: (path) => orElse<BigIntStats | null>(() => lstatSync(path, { bigint: true }), null),
	stat: (path) => orElse<BigIntStats | null>(() => statSync(path, { bigint: true }), null),
	readlink: (path) => orElse<string | null>(() => readlinkSync(path), null),
	list: (path) => orElse<Dirent[]>(() => readdirSync(path, { withFileTypes: true }), []),
};

/** Looks at the tree under `path`. A path that leads nowhere is a tree without entries. */
export async function scanDirectory(path: string, files: Files = waitingFiles): Promise<DirectoryScan> {
	const watch = new Map<string, Set<string> | null>();
	const root = await resolveLinks(resolve(path), watch, files);
	const lines = [await describe(root, files)];
	const pending = [root];
	for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
		const directory = next;
		const entries = await files.list(directory);
		if (watch.size < MAX_DIRECTORIES) watch.set(directory, null);
		entries.sort((a, b) => (a.name < b.name ? -1 : 1));
		for (let i = 0; i < entries.length && lines.length < MAX_ENTRIES; i += PARALLEL) {
			const chunk = entries.slice(i, i + PARALLEL).filter((entry) => isRelevant(entry.name));
			lines.push(...(await Promise.all(chunk.map((entry) => describe(join(directory, entry.name), files)))));
			for (const entry of chunk) {
				if (entry.isDirectory() && pending.length < MAX_DIRECTORIES)
					pending.push(join(directory, entry.name));
			}
		}
	}
	return { watch, entries: lines.length - 1, signature: Bun.hash(lines.join("\n")).toString(16) };
}

/**
 * Whether an entry of that name can matter. Hidden ones do not (an editor's
 * swap file is one), but those with two dots do: Kubernetes swaps a mounted
 * volume by renaming the link `..data`. So do a signed directory's own files.
 */
export function isRelevant(name: string): boolean {
	return !name.startsWith(".") || name.startsWith("..") || name === manifestFile || name === signatureFile;
}

async function describe(path: string, files: Files): Promise<string> {
	const link = await files.lstat(path);
	const target = link?.isSymbolicLink() === true ? await files.stat(path) : link;
	return `${path} ${fingerprint(link)} ${fingerprint(target)}`;
}

function fingerprint(stats: BigIntStats | null): string {
	if (stats === null) return "absent";
	// A directory's times and size say no more than its entries, which have lines of their own.
	if (stats.isDirectory()) return `directory ${stats.dev} ${stats.ino} ${stats.mode} ${stats.uid}`;
	return `${stats.dev} ${stats.ino} ${stats.mode} ${stats.uid} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

/** Follows the links in a path, noting each directory in which a swapped link or directory would lead elsewhere. */
async function resolveLinks(
	path: string,
	watch: Map<string, Set<string> | null>,
	files: Files,
): Promise<string> {
	let links = 0;
	let done: string = sep;
	let rest = path.split(sep).filter((part) => part !== "");
	for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
		const here = join(done, part);
		const target = links < MAX_LINKS ? await files.readlink(here) : null;
		if (target !== null || rest.length === 0) note(watch, done, part);
		if (target === null) {
			done = here;
			continue;
		}
		links++;
		rest = [...resolve(done, target).split(sep), ...rest].filter((name) => name !== "");
		done = sep;
	}
	if ((await files.stat(done)) === null) await noteMissing(watch, done, files);
	return done;
}

/** Of a path that leads nowhere, the nearest directory that exists is where it will come into being. */
async function noteMissing(
	watch: Map<string, Set<string> | null>,
	path: string,
	files: Files,
): Promise<void> {
	for (let at = path; at !== sep; at = dirname(at)) {
		const parent = dirname(at);
		if ((await files.stat(parent)) === null) continue;
		note(watch, parent, at.slice(parent.length).replace(sep, ""));
		return;
	}
}

function note(watch: Map<string, Set<string> | null>, directory: string, name: string): void {
	const names = watch.get(directory);
	if (names === null) return;
	if (names === undefined) watch.set(directory, new Set([name]));
	else names.add(name);
}
