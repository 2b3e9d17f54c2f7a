/**
 * The file of alerts, with a share of it reserved for each policy: what rotation would
 * take away of a policy that raises few alerts is carried over into the new file, so a
 * flood of others' alerts never turns the last of them out.
 */

import type { AlertLine } from "./alert-ring.ts";
import { FairStore } from "./fair-shares.ts";
import { type FileWriteResult, RotatingFile, type RotatingFileOptions } from "./rotating-file.ts";

/** Of one file's size, what is reserved, and so may be carried over. */
const carriedShare = 1 / 2;
const mostCarried = 4096;
/** Bytes of a usual alert. */
const usualLine = 640;

interface Carried {
	readonly owner: string;
	readonly part: string;
	readonly text: string;
	/** Rotations before it was written last. */
	generation: number;
}

export class AlertFile {
	readonly #file: RotatingFile;
	readonly #reserve: FairStore<Carried>;
	readonly #keep: number;
	readonly #bytes: number;
	#rotations = 0;

	constructor(options: Omit<RotatingFileOptions, "carry">) {
		this.#keep = options.keep;
		this.#bytes = options.maxBytes * carriedShare;
		this.#reserve = new FairStore(Math.max(1, Math.min(mostCarried, Math.floor(this.#bytes / usualLine))));
		this.#file = new RotatingFile({ ...options, carry: () => this.#carry() });
	}

	/** Opens the file ahead of the first line. Returns why it cannot be opened, or "". */
	open(): string {
		return this.#file.open();
	}

	/** Appends `lines`, one for each of `alerts`. Never throws, never leaves half a line. */
	write(lines: readonly string[], alerts: readonly AlertLine[]): FileWriteResult {
		return this.#file.write(lines, (index) => {
			const text = lines[index];
			const alert = alerts[index];
			if (text === undefined || alert === undefined) return;
			this.#reserve.add({ owner: alert.policy, part: alert.rule ?? "", text, generation: this.#rotations });
		});
	}

	close(): void {
		this.#file.close();
	}

	/** The reserved lines that stand in the file that this rotation removes, oldest first. */
	#carry(): string[] {
		this.#rotations++;
		let bytes = 0;
		const carried: string[] = [];
		for (const line of this.#reserve.values().toReversed()) {
			if (this.#rotations - line.generation <= this.#keep) continue;
			bytes += Buffer.byteLength(line.text);
			if (bytes > this.#bytes) break;
			line.generation = this.#rotations;
			carried.push(line.text);
		}
		return carried.reverse();
	}
}
