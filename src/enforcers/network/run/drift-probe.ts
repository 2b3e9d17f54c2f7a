/**
 * Makes sure that the drift filter knows our own transactions. Until it does,
 * it holds back every report, so a probe that went unseen (the observer had
 * just died, or notifications were lost) is made again.
 */

import { type DriftFilter, PROBE_PREFIX } from "../observe/drift-filter.ts";

/** A report arrives in milliseconds; this long says that none will come. */
const unseenMs = 2000;

export interface DriftProbeOptions {
	readonly drift: Pick<DriftFilter, "expectProbe" | "ready">;
	/** Makes the probe's transaction on the enforcing thread. Returns an error text, or null. */
	readonly run: (table: string) => Promise<string | null>;
	readonly warn: (message: string) => void;
	readonly unseenMs?: number;
}

export class DriftProbe {
	readonly #options: DriftProbeOptions;
	#timer: ReturnType<typeof setTimeout> | null = null;
	#open = false;
	#warned = false;

	constructor(options: DriftProbeOptions) {
		this.#options = options;
	}

	/** The enforcing thread can make transactions from now on. */
	async opened(): Promise<void> {
		this.#open = true;
		await this.#probe();
	}

	/** A new observer sees transactions from now on. */
	async observing(): Promise<void> {
		if (this.#open) await this.#probe();
	}

	stop(): void {
		this.#open = false;
		if (this.#timer !== null) clearTimeout(this.#timer);
	}

	async #probe(): Promise<void> {
		const { drift, run, warn } = this.#options;
		if (this.#timer !== null) clearTimeout(this.#timer);
		const table = `${PROBE_PREFIX}${crypto.randomUUID().replaceAll("-", "")}`;
		drift.expectProbe(table);
		const failed = await run(table);
		if (!this.#open) return;
		this.#timer = setTimeout(() => {
			if (drift.ready) return;
			if (!this.#warned)
				warn(`changes by others are not noticed yet, trying again${failed === null ? "" : `: ${failed}`}`);
			this.#warned = true;
			void this.#probe();
		}, this.#options.unseenMs ?? unseenMs);
	}
}
