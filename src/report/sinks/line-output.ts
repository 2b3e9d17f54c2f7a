/**
 * Whole lines to a descriptor that may be a pipe nobody reads. The daemon must
 * never wait for its reader, so what does not fit in a bounded buffer is dropped
 * by the line and counted.
 */

import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";

/** Takes as many bytes as fit at once; 0 when none do; -1 when the other end is gone for good. Never throws. */
export type NonBlockingWrite = (bytes: Uint8Array) => number;

export interface OpenedOutput {
	readonly write: NonBlockingWrite;
	readonly close: () => void;
}

/** Milliseconds between attempts to pass on what the reader had no room for. */
const retryInterval = 50;

/** PIPE_BUF of Linux (pipe(7)): so many bytes reach a pipe together. */
const atomicBytes = 4096;
const newline = 0x0a;

/** Bytes kept for a slow reader before lines are dropped. */
const defaultPendingBytes = 1 << 20;

function errorCode(error: unknown): string {
	return error instanceof Error && "code" in error ? String(error.code) : "";
}

function writeTo(fd: number): NonBlockingWrite {
	return (bytes) => {
		try {
			return writeSync(fd, bytes);
		} catch (error) {
			const code = errorCode(error);
			return code === "EPIPE" || code === "EBADF" || code === "EIO" ? -1 : 0;
		}
	};
}

/**
 * Opens an inherited descriptor for writes that never wait. A pipe or terminal is
 * reopened through /proc, because O_NONBLOCK belongs to the open file description
 * and setting it on the shared one would surprise whoever shares it. A socket
 * (systemd's journal) cannot be reopened and goes to `send`, which must not wait; Bun's event loop would give it up
 * at once, because systemd shuts the direction in which nothing comes. A regular file is written where its offset
 * stands.
 */
export function openInheritedOutput(
	fd: number,
	send: (fd: number, bytes: Uint8Array) => number,
): OpenedOutput {
	const direct: OpenedOutput = { write: writeTo(fd), close: () => {} };
	let stat: ReturnType<typeof fstatSync>;
	try {
		stat = fstatSync(fd);
	} catch {
		return { write: () => -1, close: () => {} };
	}
	if (stat.isFile()) return direct;
	if (!stat.isSocket()) {
		try {
			const own = openSync(
				`/proc/self/fd/${fd}`,
				constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
			);
			return { write: writeTo(own), close: () => closeSync(own) };
		} catch {
			return direct;
		}
	}
	return { write: (bytes) => send(fd, bytes), close: () => {} };
}

export class LineOutput {
	readonly #write: NonBlockingWrite;
	readonly #maxPending: number;
	#pending: Buffer = Buffer.alloc(0);
	#timer: ReturnType<typeof setTimeout> | null = null;
	#broken = false;
	/** Lines that were queued when the other end went, and that no call of `write` has told of yet. */
	#lost = 0;

	constructor(write: NonBlockingWrite, maxPending: number = defaultPendingBytes) {
		this.#write = write;
		this.#maxPending = maxPending;
	}

	/** Writes or queues `lines`, each ending in a newline. Returns how many were dropped, of these and of earlier ones. */
	write(lines: readonly string[]): number {
		this.#flush();
		if (this.#broken) return lines.length + this.#takeLost();
		const accepted: Buffer[] = [this.#pending];
		let bytes = this.#pending.length;
		let dropped = 0;
		for (const line of lines) {
			const encoded = Buffer.from(line);
			if (bytes + encoded.length > this.#maxPending) {
				dropped++;
				continue;
			}
			accepted.push(encoded);
			bytes += encoded.length;
		}
		this.#pending = Buffer.concat(accepted, bytes);
		this.#flush();
		return dropped + this.#takeLost();
	}

	/** Tries once more to pass on what is queued, and gives up the rest: returns how many lines that were. */
	close(): number {
		this.#flush();
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#timer = null;
		this.#giveUp();
		return this.#takeLost();
	}

	#giveUp(): void {
		for (const byte of this.#pending) if (byte === newline) this.#lost += 1;
		this.#pending = Buffer.alloc(0);
	}

	#takeLost(): number {
		const lost = this.#lost;
		this.#lost = 0;
		return lost;
	}

	/** As many lines as a pipe takes whole or not at all: a process that ends, however it does, leaves no half of one. */
	#wholeLines(): Buffer {
		const end = this.#pending.subarray(0, atomicBytes).lastIndexOf(newline);
		if (end >= 0) return this.#pending.subarray(0, end + 1);
		return this.#pending.subarray(0, this.#pending.indexOf(newline) + 1 || this.#pending.length);
	}

	#flush(): void {
		while (this.#pending.length > 0 && !this.#broken) {
			const written = this.#write(this.#wholeLines());
			if (written < 0) this.#broken = true;
			if (written <= 0) break;
			this.#pending = this.#pending.subarray(written);
		}
		if (this.#broken) this.#giveUp();
		if (this.#pending.length > 0 && this.#timer === null) {
			this.#timer = setTimeout(() => {
				this.#timer = null;
				this.#flush();
			}, retryInterval);
			this.#timer.unref();
		}
	}
}
