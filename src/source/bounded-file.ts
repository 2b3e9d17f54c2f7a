/** Reads what was named on the command line, whatever it is: a file, a device, or a pipe that nobody writes to. */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";

/** Bytes asked for at once. */
const readBytes = 64 * 1024;

/** Milliseconds between two looks at a pipe. */
const pauseMs = 5;

export type BoundedRead = { readonly ok: true; readonly text: string } | BoundedRefusal;

export interface BoundedRefusal {
	readonly ok: false;
	/** `silent`: nothing came through a pipe in time. `refused`: by `accept`. */
	readonly reason: "too-large" | "silent" | "refused";
}

export interface BoundedOptions {
	/** Bytes that are read at most. */
	readonly limit: number;
	/** Milliseconds that a pipe may be silent. Nothing else happens in this thread meanwhile. */
	readonly patienceMs: number;
	/** Whether to read it, by what it is. */
	readonly accept?: (stats: Stats) => boolean;
}

/** @throws the system's error where it cannot be opened or read. */
export function readBounded(path: string, options: BoundedOptions): BoundedRead {
	const chunks: Buffer[] = [];
	const refusal = readPieces(path, options, (piece) => {
		chunks.push(Buffer.from(piece));
		return true;
	});
	return refusal ?? { ok: true, text: Buffer.concat(chunks).toString("utf8") };
}

/**
 * Gives what is read piece by piece.
 * @param take Gets a piece that is overwritten by the next one. False: what is left is not read.
 * @returns null where it was read to its end, or as far as was wanted
 * @throws the system's error where it cannot be opened or read.
 */
export function readPieces(
	path: string,
	options: BoundedOptions,
	take: (piece: Buffer) => boolean,
): BoundedRefusal | null {
	// O_NONBLOCK: a FIFO that nobody writes to must not hang the command, which no signal could end then.
	const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	try {
		const stats = fstatSync(descriptor);
		if (options.accept?.(stats) === false) return { ok: false, reason: "refused" };
		return readAll(descriptor, stats.isFIFO(), options, take);
	} finally {
		closeSync(descriptor);
	}
}

function readAll(
	descriptor: number,
	fifo: boolean,
	{ limit, patienceMs }: BoundedOptions,
	take: (piece: Buffer) => boolean,
): BoundedRefusal | null {
	const buffer = Buffer.allocUnsafe(Math.min(readBytes, limit + 1));
	let length = 0;
	for (let waited = 0; ; ) {
		const count = readAvailable(descriptor, buffer);
		if (count === null) {
			if (waited >= patienceMs) return { ok: false, reason: "silent" };
			Bun.sleepSync(pauseMs);
			waited += pauseMs;
			continue;
		}
		// A FIFO without a writer is at its end at once.
		if (count === 0 && fifo && length === 0) return { ok: false, reason: "silent" };
		if (count === 0) return null;
		waited = 0;
		length += count;
		if (length > limit) return { ok: false, reason: "too-large" };
		if (!take(buffer.subarray(0, count))) return null;
	}
}

/** Null where a pipe has nothing yet. */
function readAvailable(descriptor: number, chunk: Buffer): number | null {
	try {
		return readSync(descriptor, chunk, 0, chunk.length, null);
	} catch (error) {
		if (error instanceof Error && "code" in error && error.code === "EAGAIN") return null;
		throw error;
	}
}
