/** Gives back what work left behind in memory, once there has been none for a while. */

import { releaseCodePages } from "../../ffi/code-pages.ts";
import { giveBack } from "../threads/give-back.ts";

/** Milliseconds without work; by then the Worker that reads policies has ended too. */
const restMs = 4000;

export class Rest {
	readonly #spareCode: () => boolean;
	readonly #give: () => void;
	#timer: ReturnType<typeof setTimeout> | null = null;

	/** @param spareCode whether the code that was read shall stay in memory: for who must not wait for it */
	constructor(spareCode: () => boolean, give?: () => void) {
		this.#spareCode = spareCode;
		this.#give = give ?? (() => giveAll(this.#spareCode()));
	}

	/** There was work just now: rest a while after it. @param milliseconds without further work */
	worked(milliseconds = restMs): void {
		this.stop();
		this.#timer = setTimeout(() => this.now(), milliseconds);
		this.#timer.unref();
	}

	/** Gives back at once. */
	now(): void {
		this.stop();
		this.#give();
	}

	stop(): void {
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#timer = null;
	}
}

function giveAll(spareCode: boolean): void {
	// Drops compiled code, too, which is made again from what lies in the executable.
	Bun.shrink();
	giveBack();
	if (!spareCode) releaseCodePages();
}
