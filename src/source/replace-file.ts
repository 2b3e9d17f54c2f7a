/** Replaces one file by another text in one step, with the owner and the rights that it has. */

import {
	closeSync,
	constants,
	fchmodSync,
	fchownSync,
	fsyncSync,
	openSync,
	realpathSync,
	renameSync,
	rmSync,
	type Stats,
	statSync,
	writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/** What tells whether a file was changed since it was read. */
export type SeenFile = Pick<Stats, "dev" | "ino" | "size" | "mtimeMs" | "ctimeMs">;

/**
 * A link's target is replaced, not the link. Returns an error text, or null.
 * @param seen the file as it was when its text was read.
 */
export function replaceFile(path: string, text: string, seen: SeenFile): string | null {
	let temporary: string | null = null;
	try {
		const target = realpathSync(path);
		const stats = statSync(target);
		if (!isSame(stats, seen)) return "it was changed meanwhile";
		// A rename would part the names.
		if (stats.nlink > 1) return `it has ${stats.nlink} names (hard links), which would come to differ`;
		const name = join(dirname(target), `.${basename(target)}.${process.pid}.new`);
		const descriptor = openSync(name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
		temporary = name;
		try {
			const { uid, gid } = stats;
			if (uid !== process.geteuid?.() || gid !== process.getegid?.()) fchownSync(descriptor, uid, gid);
			fchmodSync(descriptor, stats.mode & 0o7777);
			writeFileSync(descriptor, text);
			fsyncSync(descriptor);
		} finally {
			closeSync(descriptor);
		}
		if (!isSame(statSync(target), seen)) return "it was changed meanwhile";
		renameSync(name, target);
		temporary = null;
		return null;
	} catch (error) {
		if (!(error instanceof Error && "code" in error)) throw error;
		return error.message;
	} finally {
		if (temporary !== null) rmSync(temporary, { force: true });
	}
}

function isSame(now: SeenFile, seen: SeenFile): boolean {
	return (
		now.dev === seen.dev &&
		now.ino === seen.ino &&
		now.size === seen.size &&
		now.mtimeMs === seen.mtimeMs &&
		now.ctimeMs === seen.ctimeMs
	);
}
