/**
 * What a sink has still to send: lines in memory, and behind a bound on disk. Where there is a disk every line goes
 * there first, so that a process which is killed loses none; what the disk cannot take for the moment waits in memory,
 * and what neither has room for is refused.
 */

import type { SegmentStore } from "./segments.ts";

/** Lines that are being sent. They count as queued until `settle`. */
export interface Batch {
	readonly lines: readonly string[];
	readonly stored: boolean;
}

export class AlertQueue {
	readonly #memoryBytes: number;
	readonly #store: SegmentStore | null;
	/** Newer than all that is stored. */
	#waiting: string[] = [];
	/** Characters of `#waiting` and of a batch from it. */
	#size = 0;
	#sending = 0;
	#storeError: string;
	#lost = 0;

	/** @param storeError why there is no store, where there should be one */
	constructor(memoryBytes: number, store: SegmentStore | null, storeError = "") {
		this.#memoryBytes = memoryBytes;
		this.#store = store;
		this.#storeError = storeError;
	}

	get length(): number {
		return this.#waiting.length + this.#sending + (this.#store?.length ?? 0);
	}

	get bytes(): number {
		return this.#size + (this.#store?.bytes ?? 0);
	}

	/** Why the disk took nothing when it was last asked, or "". */
	get storeError(): string {
		return this.#storeError || (this.#store?.syncError ?? "");
	}

	/** Lines that were on disk and could not be read again. */
	get lost(): number {
		return this.#lost;
	}

	/** Takes lines in. Returns how many there was no room for: the newest. */
	push(lines: readonly string[]): number {
		let refused = 0;
		for (const line of lines) {
			if (this.#size + line.length > this.#memoryBytes) {
				this.store();
				if (this.#size + line.length > this.#memoryBytes) {
					refused++;
					continue;
				}
			}
			this.#waiting.push(line);
			this.#size += line.length;
		}
		this.store();
		return refused;
	}

	/** Puts on disk what waits in memory, as far as there is room. */
	store(): void {
		// What is being sent from memory is older than what waits there, and comes back to it where it cannot be sent.
		if (this.#store === null || this.#waiting.length === 0 || this.#sending > 0) return;
		try {
			const done = this.#store.append(this.#waiting);
			this.#storeError = "";
			for (const line of this.#waiting.splice(0, done)) this.#size -= line.length;
		} catch (error) {
			this.#storeError = error instanceof Error ? error.message : String(error);
		}
	}

	/** The oldest lines. One batch at a time: `settle` comes before the next. */
	take(most: number, bytes: number): Batch {
		const stored = this.#fromStore(most, bytes);
		if (stored.length > 0) return { lines: stored, stored: true };
		let size = 0;
		let count = 0;
		for (const line of this.#waiting) {
			size += line.length;
			if (count >= most || (count > 0 && size > bytes)) break;
			count++;
		}
		const lines = this.#waiting.splice(0, count);
		this.#sending = lines.length;
		return { lines, stored: false };
	}

	/** The first `sent` lines of the batch are gone, the rest waits again. */
	settle(batch: Batch, sent: number): void {
		if (batch.stored) {
			this.#store?.take(sent);
			return;
		}
		for (const line of batch.lines.slice(0, sent)) this.#size -= line.length;
		this.#sending = 0;
		if (sent < batch.lines.length) this.#waiting = [...batch.lines.slice(sent), ...this.#waiting];
	}

	close(): void {
		this.store();
		this.#store?.close();
	}

	/** Gives what waits in memory to a queue that takes this one's place. */
	handOver(): readonly string[] {
		const lines = this.#waiting;
		this.#waiting = [];
		this.#size = 0;
		return lines;
	}

	#fromStore(most: number, bytes: number): readonly string[] {
		if (this.#store === null) return [];
		try {
			return this.#store.read(most, bytes);
		} catch (error) {
			this.#storeError = error instanceof Error ? error.message : String(error);
			// What is gone or damaged stays so, and would hold up all that comes after it.
			const code = error instanceof Error && "code" in error ? error.code : "damaged";
			if (code === "damaged" || code === "ENOENT" || code === "EIO") this.#lost += this.#store.skip();
			return [];
		}
	}
}
