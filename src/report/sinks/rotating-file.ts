/** A file of lines that rotates by size and survives logrotate, a full disk and removal. */

import {
	closeSync,
	constants,
	fstatSync,
	ftruncateSync,
	openSync,
	renameSync,
	rmSync,
	statSync,
	writeSync,
} from "node:fs";

export interface RotatingFileOptions {
	/** Absolute path. */
	readonly path: string;
	/** Bytes; the file is rotated before a line would make it longer. */
	readonly maxBytes: number;
	/** Rotated files kept as path.1 (newest) … path.N; 0 keeps none. */
	readonly keep: number;
	/** Lines that a new file begins with, asked for when the file before it has been rotated. */
	readonly carry?: () => readonly string[];
}

/** What became of one call: `dropped` lines did not reach the file, `error` says why ("" when none). */
export interface FileWriteResult {
	readonly dropped: number;
	readonly error: string;
}

// O_NOFOLLOW: the daemon is root, and a link planted in the log directory must not choose what it writes to.
// O_NONBLOCK: a FIFO at the path must not hang the daemon; it is refused after fstat.
const openFlags =
	constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

interface OpenFile {
	readonly fd: number;
	readonly device: number;
	readonly inode: number;
	size: number;
}

export class RotatingFile {
	readonly #options: RotatingFileOptions;
	#file: OpenFile | null = null;

	constructor(options: RotatingFileOptions) {
		this.#options = options;
	}

	/** Opens the file ahead of the first line. Returns why it cannot be opened, or "". */
	open(): string {
		try {
			this.#current();
			return "";
		} catch (error) {
			return error instanceof Error ? error.message : String(error);
		}
	}

	/**
	 * Appends whole `lines`, each ending in a newline. Never throws, never leaves half a line.
	 * @param written told of each line's index once it is in the file.
	 */
	write(lines: readonly string[], written: (index: number) => void = () => {}): FileWriteResult {
		let done = 0;
		try {
			let batch: Buffer[] = [];
			let bytes = 0;
			let carried = 0;
			const flush = () => {
				this.#append(batch, bytes);
				for (const end = done + batch.length - carried; done < end; done++) written(done);
				batch = [];
				bytes = 0;
				carried = 0;
			};
			for (const line of lines) {
				const encoded = Buffer.from(line);
				const size = this.#current().size + bytes;
				if (size > 0 && size + encoded.length > this.#options.maxBytes) {
					flush();
					this.#rotate();
					batch = (this.#options.carry?.() ?? []).map((text) => Buffer.from(text));
					bytes = batch.reduce((sum, { length }) => sum + length, 0);
					carried = batch.length;
				}
				batch.push(encoded);
				bytes += encoded.length;
			}
			flush();
			return { dropped: 0, error: "" };
		} catch (error) {
			this.close();
			return { dropped: lines.length - done, error: error instanceof Error ? error.message : String(error) };
		}
	}

	close(): void {
		const file = this.#file;
		this.#file = null;
		if (file === null) return;
		try {
			closeSync(file.fd);
		} catch {
			// A descriptor that fails to close is gone all the same (close(2)).
		}
	}

	/** The open file, opened anew when the path no longer names it. */
	#current(): OpenFile {
		if (this.#file !== null) return this.#file;
		const fd = openSync(this.#options.path, openFlags, 0o600);
		const stat = fstatSync(fd);
		if (!stat.isFile()) {
			closeSync(fd);
			throw new Error(`${this.#options.path} is not a regular file`);
		}
		this.#file = { fd, device: stat.dev, inode: stat.ino, size: stat.size };
		return this.#file;
	}

	/** Forgets a file that was renamed or removed from under us, or cut (logrotate's copytruncate). */
	#refresh(): void {
		if (this.#file === null) return;
		const stat = statSync(this.#options.path, { throwIfNoEntry: false });
		if (stat === undefined || stat.ino !== this.#file.inode || stat.dev !== this.#file.device) this.close();
		else this.#file.size = stat.size;
	}

	/** Writes all of the lines, or throws after cutting the file back. */
	#append(lines: readonly Buffer[], bytes: number): void {
		if (lines.length === 0) return;
		this.#refresh();
		const file = this.#current();
		const data = Buffer.concat(lines, bytes);
		let written = 0;
		try {
			while (written < bytes) written += writeSync(file.fd, data, written, bytes - written);
		} catch (error) {
			ftruncateSync(file.fd, file.size);
			throw error;
		}
		file.size += bytes;
	}

	#rotate(): void {
		const { path, keep } = this.#options;
		this.close();
		if (keep <= 0) {
			rmSync(path, { force: true });
			return;
		}
		rmSync(`${path}.${keep}`, { force: true });
		for (let age = keep - 1; age >= 1; age--) this.#renameIfPresent(`${path}.${age}`, `${path}.${age + 1}`);
		this.#renameIfPresent(path, `${path}.1`);
	}

	#renameIfPresent(from: string, to: string): void {
		try {
			renameSync(from, to);
		} catch (error) {
			if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
		}
	}
}
