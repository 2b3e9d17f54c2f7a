/**
 * Tells other people's transactions from our own. The kernel names the thread
 * that made a transaction by its number outside every PID namespace, which a
 * thread in a container cannot know of itself. So the thread that runs
 * libnftables first makes a probe: one transaction that creates and deletes a
 * scratch table with an unguessable name. The report that shows this name gives
 * the thread's number, exactly, even if other transactions happen in between:
 * name and number stand in one transaction. Until then reports are held back.
 */

import { addTable, type Command, deleteTable } from "../../../kernel/nftables/commands.ts";
import type { DriftEvent, TransactionReport } from "./event.ts";

/** Names of probe tables start with this, here and in `DriftSettings.probePrefix`. */
export const PROBE_PREFIX = "portward_probe_";

/** Reports held while the own number is not known. */
const MAX_HELD = 256;

/** The probe, on a table whose name starts with PROBE_PREFIX: one transaction that leaves nothing behind. */
export const probeCommands: readonly Command[] = [addTable, deleteTable];

export class DriftFilter {
	#expected: string | null = null;
	#own = 0;
	#held: DriftEvent[] = [];

	/** @param foreign gets every transaction of somebody else that touched our table. */
	constructor(private readonly foreign: (event: DriftEvent) => void) {}

	/** Whether the own thread is known. */
	get ready(): boolean {
		return this.#own !== 0;
	}

	/**
	 * Call before the enforcing thread, a new one included, runs the probe. The
	 * thread of before counts as a stranger from now on, as its number may be
	 * given to another process.
	 */
	expectProbe(table: string): void {
		this.#expected = table;
		this.#own = 0;
	}

	/** Takes what the drift Worker reported. */
	add(report: TransactionReport): void {
		if (this.#expected !== null && report.pid !== 0 && report.probes.includes(this.#expected)) {
			this.#expected = null;
			this.#own = report.pid;
			const held = this.#held;
			this.#held = [];
			for (const event of held) this.#judge(event);
		}
		if (report.event === null) return;
		if (this.#expected === null) this.#judge(report.event);
		else if (this.#held.length < MAX_HELD) this.#held.push(report.event);
	}

	#judge(event: DriftEvent): void {
		if (event.pid === 0 || event.pid !== this.#own) this.foreign(event);
	}
}
