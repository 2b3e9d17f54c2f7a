/**
 * Has what was written put on the disk itself, so that a power cut takes no more than the last second of it. The runtime's
 * own threads wait for the disk: nobody who writes does.
 */

import { open } from "node:fs/promises";
import { reasonOf } from "../transport.ts";

/** Milliseconds for which writes are gathered. */
const usualInterval = 1000;

/** Puts a file's bytes, or a directory's names, on the disk. @throws Error of node:fs */
async function putOnDisk(path: string): Promise<void> {
	const file = await open(path, "r");
	try {
		await file.datasync();
	} finally {
		await file.close();
	}
}

export class DiskSync {
	readonly #wanted: () => readonly string[];
	readonly #put: (path: string) => Promise<void>;
	readonly #interval: number;
	#timer: ReturnType<typeof setTimeout> | null = null;
	#running = false;
	/** Something was written since the last look at what is wanted. */
	#again = false;
	#closed = false;
	#error = "";

	/**
	 * @param wanted takes what has to be on the disk and is not yet: none of what is no longer needed
	 * @param interval milliseconds
	 */
	constructor(
		wanted: () => readonly string[],
		{ put = putOnDisk, interval = usualInterval }: { put?: typeof putOnDisk; interval?: number } = {},
	) {
		this.#wanted = wanted;
		this.#put = put;
		this.#interval = interval;
	}

	/** Why the disk did not take what it was given last, or "". */
	get error(): string {
		return this.#error;
	}

	/** Something was written. */
	wrote(): void {
		this.#again = true;
		if (this.#timer !== null || this.#running || this.#closed) return;
		this.#timer = setTimeout(() => void this.#sync(), this.#interval);
	}

	close(): void {
		this.#closed = true;
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#timer = null;
	}

	async #sync(): Promise<void> {
		this.#timer = null;
		this.#running = true;
		this.#again = false;
		let error = "";
		for (const path of this.#wanted()) {
			try {
				await this.#put(path);
			} catch (thrown) {
				// What was sent meanwhile is gone, and needs no place on the disk.
				const gone = thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
				if (!gone) error = reasonOf(thrown);
			}
		}
		this.#error = error;
		this.#running = false;
		if (this.#again) this.wrote();
	}
}
