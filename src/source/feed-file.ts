/** Reads the file of an address group, with the checks that policy files have: who owns it, and who could exchange it. */

import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import { distrustWay, errorCode, errorText, HeldDirectory, type HeldOptions } from "./held-directory.ts";
import { distrust } from "./permissions.ts";
import type { Problem } from "./policy-signature.ts";

export type FeedRead =
	/** Nothing changed since the reading that gave the stamp. */
	| { readonly state: "same" }
	| { readonly state: "read"; readonly stamp: string; readonly bytes: Uint8Array; readonly sha256: string }
	| { readonly state: "failed"; readonly problem: Problem };

export interface FeedOptions extends Pick<HeldOptions, "checkPermissions"> {
	/** Bytes at most. */
	readonly limit: number;
}

/**
 * Reads a file that may be a link.
 * @param stamp of the last reading; null where there was none
 */
export function readFeedFile(path: string, stamp: string | null, options: FeedOptions): FeedRead {
	const failed = (code: string, message: string, hint: string): FeedRead => ({
		state: "failed",
		problem: { code, message, hint },
	});
	const { checkPermissions } = options;
	const way = checkPermissions ? distrustWay(path, "the file of the group") : null;
	if (way !== null) return failed("insecure-permissions", way.message, way.hint);
	try {
		const real = realpathSync(path);
		const held = { checkPermissions, onTheWay: true };
		const opened = HeldDirectory.open(dirname(real), "the directory of the file", held);
		if (!opened.ok) return failed("unreadable-file", opened.message, opened.hint);
		using directory = opened.directory;
		return readHeld(directory.at(basename(real)), stamp, options);
	} catch (error) {
		if (errorCode(error) === null) throw error;
		const absent = errorCode(error) === "ENOENT";
		const message = absent ? `${path} does not exist` : `${path}: ${errorText(error)}`;
		const hint = absent ? "put the list there, or name another file" : "make it readable";
		return failed("unreadable-file", message, hint);
	}
}

function readHeld(real: string, stamp: string | null, { limit, checkPermissions }: FeedOptions): FeedRead {
	const failed = (code: string, message: string, hint: string): FeedRead => ({
		state: "failed",
		problem: { code, message, hint },
	});
	// As with policies: a FIFO must not hang the reader, and the name was resolved already.
	const descriptor = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	try {
		const stats = fstatSync(descriptor, { bigint: true });
		if (!stats.isFile()) return failed("not-a-file", "it is not a regular file", "name a file");
		const owner = { uid: Number(stats.uid), mode: Number(stats.mode) };
		const doubt = checkPermissions ? distrust("the file", owner) : null;
		if (doubt !== null) return failed("insecure-permissions", doubt.message, doubt.hint);
		if (stats.size > BigInt(limit)) {
			const message = `the file has ${stats.size} bytes; at most ${limit} are read`;
			return failed("file-too-large", message, "split it into several groups");
		}
		const { dev, ino, size, mode, mtimeNs, ctimeNs } = stats;
		const now = `${dev}:${ino}:${size}:${mode}:${mtimeNs}:${ctimeNs}`;
		if (now === stamp) return { state: "same" };
		const bytes = readBytes(descriptor, Number(size));
		const sha256 = createHash("sha256").update(bytes).digest("hex");
		return { state: "read", stamp: now, bytes, sha256 };
	} finally {
		closeSync(descriptor);
	}
}

/** What grows while it is read is read as far as it went: the next change tells. */
function readBytes(descriptor: number, size: number): Uint8Array {
	const bytes = new Uint8Array(size);
	let length = 0;
	while (length < size) {
		const count = readSync(descriptor, bytes, length, size - length, null);
		if (count === 0) break;
		length += count;
	}
	return bytes.subarray(0, length);
}
