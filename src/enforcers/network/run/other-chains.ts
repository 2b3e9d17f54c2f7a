/** The base chains of others, for who asks for the status: read now and then, as a dump of all chains is not free. */

import { type ForeignChain, foreignChains } from "../observe/foreign-chains.ts";

/** Milliseconds for which a reading is good. */
const freshMs = 10_000;

export class OtherChains {
	readonly #read: typeof foreignChains;
	#chains: readonly ForeignChain[] = [];
	#time = Number.NEGATIVE_INFINITY;

	constructor(read: typeof foreignChains = foreignChains) {
		this.#read = read;
	}

	/**
	 * Those beside the table; the ones of before where they cannot be read now.
	 * @param now milliseconds on a clock that only goes forwards.
	 */
	beside(table: string, now = performance.now()): readonly ForeignChain[] {
		if (now - this.#time < freshMs) return this.#chains;
		this.#time = now;
		const read = this.#read(table);
		if (read.ok) this.#chains = read.chains;
		return this.#chains;
	}
}
