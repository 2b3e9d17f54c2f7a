/** Says when a change's time is up, on a clock that counts sleep. */

import type { PendingChange } from "../../state/pending-record.ts";

/** Milliseconds between two looks at the clock: a timer does not count sleep. */
const lookMs = 1000;

export class PendingClock {
	/** Seconds, as PendingOptions has it. */
	readonly #now: () => number;
	#timer: ReturnType<typeof setInterval> | null = null;

	constructor(now: () => number) {
		this.#now = now;
	}

	expired({ deadline }: Pick<PendingChange, "deadline">): boolean {
		return this.#now() >= deadline;
	}

	/** Whole seconds until then, none below 0. */
	secondsLeft({ deadline }: Pick<PendingChange, "deadline">): number {
		return Math.max(0, Math.ceil(deadline - this.#now()));
	}

	/** Calls `look` about once a second until `stop`. */
	watch(look: () => void): void {
		this.#timer ??= setInterval(look, lookMs);
	}

	stop(): void {
		if (this.#timer !== null) clearInterval(this.#timer);
		this.#timer = null;
	}
}
