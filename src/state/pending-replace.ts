/**
 * Gives a directory another content in one step. A full copy is prepared next
 * to it, marked, and put on the disk; the two names then change places, and
 * what was there before is tidied away. A crash leaves the old content or the
 * new one, each whole, and says by the mark which of the two lies beside.
 *
 * What portward does not read (hidden files, a README, .git) is carried over.
 */

import { randomBytes } from "node:crypto";
import type { Dirent } from "node:fs";
import { lstat, readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isMountPoint } from "./mount-point.ts";
import { type FileOperations, isAbsent } from "./pending-files.ts";
import { idPattern } from "./pending-record.ts";
import { isPolicyContent, readCopy, writeTree } from "./pending-tree.ts";

/** Entries of an old content that are looked at; what is beyond stays beside, and is named. */
const maxEntries = 100_000;

/** What a crash may have left of an earlier change. */
const markPattern = /^\.portward-[0-9a-f]{16}$/;

/** Where a path of the settings leads: links are followed, and a missing directory is where it would be. */
export async function realDirectory(path: string): Promise<string> {
	try {
		return await realpath(path);
	} catch (error) {
		if (!isAbsent(error)) throw error;
	}
	const link = await readlink(path).catch(() => null);
	const parent = await realpath(dirname(link === null ? path : resolve(dirname(path), link)));
	return join(parent, basename(link ?? path));
}

/** How what was there before is gone through. */
interface CarryOver {
	/** What is not carried over stays. */
	readonly keep: boolean;
	/** Entries that may still be looked at. */
	left: number;
}

export class Replacement {
	/** The directory that gets the content; a real path. */
	readonly target: string;
	readonly #beside: string;
	readonly #mark: string;
	readonly #operations: FileOperations;

	constructor(target: string, id: string, operations: FileOperations) {
		this.target = target;
		this.#beside = join(dirname(target), `${besidePrefix(target)}${id}`);
		this.#mark = `.portward-${id}`;
		this.#operations = operations;
	}

	/**
	 * Makes the copy of `from` next to the target. What an earlier attempt left there is thrown away.
	 * @param lists whether the lists of groups that lie there go along
	 */
	async prepare(from: string, lists: boolean): Promise<void> {
		const operations = this.#operations;
		await this.discard();
		await operations.makeDirectory(this.#beside, 0o755);
		await operations.writeFile(join(this.#beside, this.#mark), new Uint8Array(), 0o600, true);
		const files = await readCopy(from);
		const taken = lists ? files : files.filter(({ path }) => isPolicyContent(basename(path)));
		await writeTree(this.#beside, taken, operations);
		const old = await stat(this.target).catch(absentAsNull);
		if (old !== null) {
			await operations.setOwner(this.#beside, { uid: old.uid, gid: old.gid, mode: old.mode & 0o777 });
		}
		await operations.syncDirectory(dirname(this.target));
	}

	/** The step itself. Done already is no error: then no prepared copy lies beside. */
	async exchange(): Promise<void> {
		if (await this.#marked(this.#beside)) await this.#swap();
	}

	/** Takes the step back. */
	async revert(): Promise<void> {
		if (await this.#marked(this.target)) await this.#swap();
	}

	/** Removes a copy that did not take the target's place. An old content that lies there stays. */
	async discard(): Promise<void> {
		if (await this.#marked(this.#beside)) await this.#operations.removeTree(this.#beside);
	}

	/**
	 * After the step: carries over what is not policies, and removes the rest of the old content. With `keep`
	 * the rest stays, under the name that is returned.
	 */
	async tidy(keep: boolean): Promise<string | null> {
		const operations = this.#operations;
		let kept: string | null = null;
		if ((await lstat(this.#beside).catch(absentAsNull)) !== null) {
			const carried = this.#carryOver("", { keep, left: maxEntries });
			if (keep) {
				kept = `${this.target}.before-${this.#mark.slice(".portward-".length)}`;
				// Last, as who begins anew after a crash looks beside the target; and whatever befell the rest.
				await carried.catch(() => {});
				await operations.rename(this.#beside, kept);
			}
			await carried;
		}
		if (await this.#marked(this.target)) await operations.removeFile(join(this.target, this.#mark));
		await operations.syncDirectory(dirname(this.target));
		return kept;
	}

	async #swap(): Promise<void> {
		const operations = this.#operations;
		const there = (await lstat(this.target).catch(absentAsNull)) !== null;
		if (there) await operations.exchange(this.#beside, this.target);
		else await operations.rename(this.#beside, this.target);
		await operations.syncDirectory(dirname(this.target));
	}

	async #marked(directory: string): Promise<boolean> {
		return (await lstat(join(directory, this.#mark)).catch(absentAsNull)) !== null;
	}

	/**
	 * Moves what is not policies to where it was; the names of the new content win. A link to a directory shows
	 * policies, so it goes with them.
	 */
	async #carryOver(prefix: string, way: CarryOver): Promise<void> {
		const operations = this.#operations;
		const old = join(this.#beside, prefix);
		for (const entry of await readdir(old, { withFileTypes: true })) {
			way.left -= 1;
			if (way.left < 0) throw new Error(`${this.target} held too much to be tidied away`);
			const path = join(prefix, entry.name);
			const to = join(this.target, path);
			if (entry.isDirectory() && !entry.name.startsWith(".")) await this.#carryOver(path, way);
			else if (await this.#isPolicies(path, entry)) {
				if (!way.keep) await operations.removeFile(join(this.#beside, path));
			} else if ((await lstat(to).catch(absentAsNull)) === null) {
				await operations.makeDirectory(dirname(to), 0o755);
				await operations.rename(join(this.#beside, path), to);
			} else if (!way.keep) await operations.removeTree(join(this.#beside, path));
		}
		if (!way.keep) await operations.removeEmptyDirectory(old);
	}

	async #isPolicies(path: string, entry: Dirent): Promise<boolean> {
		if (isPolicyContent(entry.name) || markPattern.test(entry.name)) return true;
		if (!entry.isSymbolicLink() || entry.name.startsWith(".")) return false;
		// Where it led may have been moved already.
		const there = await stat(join(this.#beside, path)).catch(() => null);
		return there === null || there.isDirectory();
	}
}

/**
 * Rejects where the target could not be exchanged: something is mounted on it, as also a sandbox does that lets
 * this process write just there, or the file system next to it knows no such rename.
 */
export async function probeReplacement(target: string, operations: FileOperations): Promise<void> {
	if (await isMountPoint(target)) {
		throw new Error(
			`${target} is a mount point, which cannot be exchanged; make policyDir a directory below it, or where ` +
				"ReadWritePaths= of the unit names it, name the directory above",
		);
	}
	// Named like copies of changes, so that what a crash leaves of them is tidied away like those.
	const name = () => join(dirname(target), `${besidePrefix(target)}${randomBytes(8).toString("hex")}`);
	const [one, other] = [name(), name()];
	try {
		for (const path of [one, other]) await operations.makeDirectory(path, 0o700);
		await operations.exchange(one, other);
	} finally {
		for (const path of [one, other]) await operations.removeTree(path);
	}
}

/** Whatever a process that was killed left beside a directory. Only while nothing is being confirmed. */
export async function tidyBeside(target: string, operations: FileOperations): Promise<void> {
	const names = await readdir(dirname(target)).catch(() => []);
	for (const name of names) {
		const id = name.startsWith(besidePrefix(target)) ? name.slice(besidePrefix(target).length) : "";
		if (!idPattern.test(id)) continue;
		const replacement = new Replacement(target, id, operations);
		await replacement.discard();
		await replacement.tidy(false);
	}
}

function besidePrefix(target: string): string {
	return `.${basename(target)}.portward-`;
}

function absentAsNull(error: unknown): null {
	if (isAbsent(error)) return null;
	throw error;
}
