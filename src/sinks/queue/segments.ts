/**
 * Lines on disk, oldest first, in a bounded number of bytes. Files of lines are appended to and removed as a whole when
 * all of them have been taken; a file beside them says how far the first one has been. So a process that is killed at
 * any point leaves whole lines: at worst some are given once more. A line that was cut off is cut away. A power cut
 * takes the last second at most of what was still to be taken, and what the disk takes to write that.
 */

import {
	closeSync,
	constants,
	fstatSync,
	ftruncateSync,
	mkdirSync,
	openSync,
	readdirSync,
	readSync,
	rmSync,
	writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DiskSync } from "./disk-sync.ts";

interface Segment {
	readonly number: number;
	bytes: number;
	lines: number;
}

/** Files are so large that few are needed, and so small that the one which is being read keeps little room. */
const segmentBytes = 1024 * 1024;
const fewestSegments = 4;
const chunkBytes = 256 * 1024;
const newline = 0x0a;

const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const appendFlags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
const positionFlags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

export class SegmentStore {
	readonly #directory: string;
	readonly #maxBytes: number;
	readonly #segmentBytes: number;
	readonly #position: number;
	#segments: Segment[] = [];
	/** How far the first segment has been taken. */
	#offset = 0;
	/** Lines of the first segment that have been taken. */
	#taken = 0;
	/** Bytes of each line that was read last, its newline included. */
	#sizes: number[] = [];
	#tail: { readonly number: number; readonly fd: number } | null = null;
	/** Segments of which something may not be on the disk itself. */
	readonly #unsynced = new Set<number>();
	/** Directories whose names may not be. */
	#renewed: readonly string[];
	readonly #sync: DiskSync;

	/**
	 * Opens what is there, or begins anew.
	 * @throws Error of node:fs where the directory cannot be used.
	 */
	constructor(directory: string, maxBytes: number, syncing: ConstructorParameters<typeof DiskSync>[1] = {}) {
		this.#directory = directory;
		this.#renewed = [dirname(dirname(directory)), dirname(directory)];
		this.#sync = new DiskSync(() => this.#takeUnsynced(), syncing);
		this.#maxBytes = maxBytes;
		this.#segmentBytes = Math.min(segmentBytes, Math.floor(maxBytes / fewestSegments));
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		this.#position = openSync(join(directory, "position"), positionFlags, 0o600);
		try {
			this.#load();
		} catch (error) {
			this.close();
			throw error;
		}
	}

	/** Lines that have not been taken. */
	get length(): number {
		return this.#segments.reduce((sum, { lines }) => sum + lines, -this.#taken);
	}

	/** Bytes of them. */
	get bytes(): number {
		return this.#segments.reduce((sum, { bytes }) => sum + bytes, -this.#offset);
	}

	/** Why the disk itself does not take what was written, or "". */
	get syncError(): string {
		return this.#sync.error;
	}

	/**
	 * Appends as many of `lines` as there is room for, without newlines in them, and returns how many.
	 * @throws Error of node:fs where the disk takes none, such as a full one; no half line is left.
	 */
	append(lines: readonly string[]): number {
		let used = this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
		let done = 0;
		while (done < lines.length) {
			const last = this.#segments.at(-1);
			const room = Math.min(this.#maxBytes - used, this.#segmentBytes - (last?.bytes ?? 0));
			const batch: Buffer[] = [];
			let bytes = 0;
			for (const line of lines.slice(done)) {
				const encoded = Buffer.from(`${line}\n`);
				const first = batch.length === 0 && bytes === 0 && (last === undefined || last.bytes === 0);
				// A line that is longer than a segment has one to itself.
				if (bytes + encoded.length > room && !(first && encoded.length <= this.#maxBytes - used)) break;
				batch.push(encoded);
				bytes += encoded.length;
			}
			if (batch.length === 0) {
				if (last === undefined || last.bytes === 0 || used >= this.#maxBytes) break;
				const next = Buffer.byteLength(lines[done] ?? "") + 1;
				if (next > this.#maxBytes - used) break;
				this.#segments.push({ number: last.number + 1, bytes: 0, lines: 0 });
				continue;
			}
			this.#write(batch, bytes);
			used += bytes;
			done += batch.length;
		}
		return done;
	}

	/**
	 * The oldest lines, at most `most` and about `bytes`, all of one segment. They stay until `take`.
	 * @throws Error where the segment cannot be read, or is not as it was written.
	 */
	read(most: number, bytes: number): string[] {
		this.#sizes = [];
		const [first] = this.#segments;
		if (first === undefined || this.#offset >= first.bytes) return [];
		const fd = openSync(this.#path(first.number), readFlags);
		try {
			const rest = first.bytes - this.#offset;
			for (let size = Math.min(Math.max(bytes, chunkBytes), rest); ; size = rest) {
				const chunk = Buffer.alloc(size);
				const got = chunk.subarray(0, readSync(fd, chunk, 0, size, this.#offset));
				const lines = this.#split(got, most, bytes);
				if (lines.length > 0) return lines;
				// A line that is longer than the chunk: once more with all that there is.
				if (size >= rest) throw new Error(`${this.#path(first.number)} is shorter than it was`);
			}
		} finally {
			closeSync(fd);
		}
	}

	#split(chunk: Buffer, most: number, bytes: number): string[] {
		const lines: string[] = [];
		let start = 0;
		for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
			if (lines.length >= most || (lines.length > 0 && end > bytes)) break;
			lines.push(chunk.toString("utf8", start, end));
			this.#sizes.push(end + 1 - start);
			start = end + 1;
		}
		return lines;
	}

	/** Takes away the first `count` of the lines that `read` gave last. */
	take(count: number): void {
		const [first] = this.#segments;
		const sizes = this.#sizes.splice(0, count);
		if (first === undefined || sizes.length === 0) return;
		this.#offset += sizes.reduce((sum, size) => sum + size, 0);
		this.#taken += sizes.length;
		if (this.#offset < first.bytes) this.#note(first.number, this.#offset);
		else this.#dropFirst();
	}

	/** Takes away the first segment with what is left of it, which cannot be read. Returns how many lines that were. */
	skip(): number {
		const [first] = this.#segments;
		if (first === undefined) return 0;
		const lost = first.lines - this.#taken;
		this.#dropFirst();
		return lost;
	}

	/** What is not on the disk itself by then the kernel writes in its own time. */
	close(): void {
		this.#sync.close();
		this.#closeTail();
		closeSync(this.#position);
	}

	#path(number: number): string {
		return join(this.#directory, `${String(number).padStart(12, "0")}.jsonl`);
	}

	/** The position goes on before the file goes: whoever is killed in between gives no line up. */
	#dropFirst(): void {
		const first = this.#segments.shift();
		if (first === undefined) return;
		this.#offset = 0;
		this.#taken = 0;
		if (this.#segments.length === 0) this.#segments.push({ number: first.number + 1, bytes: 0, lines: 0 });
		this.#note(this.#segments[0]?.number ?? 0, 0);
		if (this.#tail?.number === first.number) this.#closeTail();
		try {
			rmSync(this.#path(first.number), { force: true });
		} catch {
			// The disk may be read-only by now. The file goes when the queue is opened next.
		}
	}

	#closeTail(): void {
		if (this.#tail !== null) closeSync(this.#tail.fd);
		this.#tail = null;
	}

	#note(number: number, offset: number): void {
		try {
			writeSync(
				this.#position,
				`${String(number).padStart(12, "0")} ${String(offset).padStart(12, "0")}\n`,
				0,
			);
		} catch {
			// Without it some lines are given once more after a restart.
		}
	}

	#write(batch: readonly Buffer[], bytes: number): void {
		const last = this.#segments.at(-1) ?? { number: 1, bytes: 0, lines: 0 };
		if (this.#segments.length === 0) this.#segments.push(last);
		if (this.#tail?.number !== last.number) {
			this.#closeTail();
			this.#renewed = [...this.#renewed.filter((path) => path !== this.#directory), this.#directory];
			this.#tail = { number: last.number, fd: openSync(this.#path(last.number), appendFlags, 0o600) };
		}
		const data = Buffer.concat(batch, bytes);
		let written = 0;
		try {
			while (written < bytes) written += writeSync(this.#tail.fd, data, written, bytes - written);
		} catch (error) {
			ftruncateSync(this.#tail.fd, last.bytes);
			throw error;
		}
		last.bytes += bytes;
		last.lines += batch.length;
		this.#unsynced.add(last.number);
		this.#sync.wrote();
	}

	/** Nothing of what has been taken: where a receiver keeps up, nothing has to be on the disk. */
	#takeUnsynced(): readonly string[] {
		const waiting = this.#segments.filter(({ number, bytes }, index) => {
			return this.#unsynced.has(number) && bytes > (index === 0 ? this.#offset : 0);
		});
		this.#unsynced.clear();
		if (waiting.length === 0) return [];
		const directories = this.#renewed;
		this.#renewed = [];
		return [...waiting.map(({ number }) => this.#path(number)), ...directories];
	}

	#load(): void {
		const numbers = readdirSync(this.#directory)
			.flatMap((name) => /^(\d{12})\.jsonl$/.exec(name)?.[1] ?? [])
			.map(Number)
			.sort((a, b) => a - b);
		const text = Buffer.alloc(32);
		const got = readSync(this.#position, text, 0, text.length, 0);
		const noted = /^(\d{12}) (\d{12})\n/.exec(text.toString("latin1", 0, got));
		const [, first = "", offset = ""] = noted ?? [];
		for (const number of numbers) {
			// What had been taken as a whole, and was still to be removed.
			if (noted !== null && number < Number(first)) rmSync(this.#path(number), { force: true });
			else this.#segments.push(this.#measure(number));
		}
		this.#segments = this.#segments.filter(({ bytes }) => bytes > 0);
		const [head] = this.#segments;
		if (head === undefined) {
			this.#segments.push({
				number: Math.max(1, Number(first), (numbers.at(-1) ?? 0) + 1),
				bytes: 0,
				lines: 0,
			});
			return;
		}
		if (head.number !== Number(first) || Number(offset) > head.bytes) return;
		this.#offset = Number(offset);
		this.#taken = this.#count(head.number, this.#offset);
		if (this.#offset >= head.bytes) this.#dropFirst();
	}

	/** Counts what a segment holds, and cuts away what was not written to its end. */
	#measure(number: number): Segment {
		const fd = openSync(this.#path(number), constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		try {
			const { bytes, lines } = scan(fd, fstatSync(fd).size);
			ftruncateSync(fd, bytes);
			return { number, bytes, lines };
		} finally {
			closeSync(fd);
		}
	}

	#count(number: number, end: number): number {
		const fd = openSync(this.#path(number), readFlags);
		try {
			return scan(fd, end).lines;
		} finally {
			closeSync(fd);
		}
	}
}

/** The whole lines in the first `end` bytes of a file. */
function scan(fd: number, end: number): { readonly bytes: number; readonly lines: number } {
	const chunk = Buffer.alloc(chunkBytes);
	let bytes = 0;
	let lines = 0;
	for (let at = 0; at < end; ) {
		const got = readSync(fd, chunk, 0, Math.min(chunk.length, end - at), at);
		if (got === 0) break;
		const part = chunk.subarray(0, got);
		for (let index = part.indexOf(newline); index >= 0; index = part.indexOf(newline, index + 1)) {
			lines++;
			bytes = at + index + 1;
		}
		at += got;
	}
	return { bytes, lines };
}
