/**
 * Reading and writing sysfs below a root that can be any directory. Everything
 * is synchronous: an attribute answers at once, or holds the calling thread for
 * as long as its device likes.
 */

import {
	closeSync,
	constants,
	openSync,
	readdirSync,
	readlinkSync,
	readSync,
	realpathSync,
	statSync,
	writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

export type WriteResult =
	| { readonly ok: true }
	/** `gone`: the file is no more. `changed`: the check said no. `failed`: the kernel refused. */
	| { readonly ok: false; readonly reason: "gone" | "changed" | "failed"; readonly error: string };

/** sysfs attributes are at most a page long. */
const longestText = 4096;

/** Attributes are read many at a time while devices come in crowds, and each read is done before the next begins. */
const page = new Uint8Array(longestText);
const decoder = new TextDecoder();

const gone = new Set(["ENOENT", "ENODEV", "ENOTDIR", "ENXIO"]);

export class Sysfs {
	/** `root` is /sys, or a stand-in for it. */
	constructor(readonly root: string) {}

	/** The attribute's text without its final newline; null when it cannot be read. */
	readText(path: string): string | null {
		// The kernel gives an attribute whole in one read.
		const count = this.#open(path, (descriptor) => readSync(descriptor, page, 0, page.length, null));
		if (count === null) return null;
		const text = decoder.decode(page.subarray(0, count));
		return text.endsWith("\n") ? text.slice(0, -1) : text;
	}

	/** At most `limit` bytes, read to the end of the file; null when it cannot be read. */
	readBytes(path: string, limit: number): Uint8Array | null {
		return this.#open(path, (descriptor) => readAll(descriptor, limit));
	}

	#open<T>(path: string, read: (descriptor: number) => T): T | null {
		try {
			const descriptor = openSync(join(this.root, path), constants.O_RDONLY);
			try {
				return read(descriptor);
			} finally {
				closeSync(descriptor);
			}
		} catch (error) {
			systemCode(error);
			return null;
		}
	}

	/** The names in a directory; none when it is not there. */
	list(path: string): readonly string[] {
		try {
			return readdirSync(join(this.root, path));
		} catch (error) {
			systemCode(error);
			return [];
		}
	}

	/** A number that no other directory has while the kernel runs, be its path the same; null when it is not there. */
	identity(path: string): string | null {
		try {
			return statSync(join(this.root, path), { bigint: true }).ino.toString(36);
		} catch (error) {
			systemCode(error);
			return null;
		}
	}

	/** The last part of a symbolic link's target; null when there is no link. */
	linkName(path: string): string | null {
		try {
			return basename(readlinkSync(join(this.root, path)));
		} catch (error) {
			systemCode(error);
			return null;
		}
	}

	/**
	 * Where a symbolic link leads, below the root and starting with a slash; null when there is no link, or it leads out.
	 * The links on the way are taken as they are: the kernel's own lead straight to a device.
	 */
	linkPath(path: string): string | null {
		try {
			const file = join(this.root, path);
			const target = resolve(dirname(file), readlinkSync(file));
			return target.startsWith(`${this.root}/`) ? target.slice(this.root.length) : null;
		} catch (error) {
			systemCode(error);
			return null;
		}
	}

	/** The path below the root with every link resolved, starting with a slash; null when it is not there. */
	realPath(path: string): string | null {
		try {
			const root = realpathSync(this.root);
			const real = realpathSync(join(root, path));
			return real.startsWith(`${root}/`) ? real.slice(root.length) : null;
		} catch (error) {
			systemCode(error);
			return null;
		}
	}

	/**
	 * Writes an attribute. With the file open, but before anything is written, `check` says whether it is still
	 * the right one: what an open file belongs to cannot be exchanged under it.
	 */
	write(path: string, value: string, check: () => boolean = () => true): WriteResult {
		try {
			const descriptor = openSync(join(this.root, path), constants.O_WRONLY);
			try {
				if (!check()) return { ok: false, reason: "changed", error: `${path} is another device's by now` };
				writeSync(descriptor, value);
				return { ok: true };
			} finally {
				closeSync(descriptor);
			}
		} catch (error) {
			const code = systemCode(error);
			const reason = gone.has(code) ? "gone" : "failed";
			return { ok: false, reason, error: `writing ${value} to ${path}: ${code}` };
		}
	}
}

function readAll(descriptor: number, limit: number): Uint8Array {
	const parts: Uint8Array[] = [];
	let length = 0;
	while (length < limit) {
		// A binary attribute comes by the page.
		const count = readSync(descriptor, page, 0, Math.min(limit - length, page.length), null);
		if (count === 0) break;
		parts.push(page.slice(0, count));
		length += count;
	}
	return Buffer.concat(parts, length);
}

/** The system's name for an error, such as "ENOENT". Throws what is no system error. */
function systemCode(error: unknown): string {
	if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
	throw error;
}
