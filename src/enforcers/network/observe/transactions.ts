/**
 * Groups nf_tables' notifications into transactions. The kernel sends those of
 * one transaction in a row, under its commit lock, and then the generation
 * message that names the thread; so whatever came before a generation message
 * belongs to it.
 */

import { NFPROTO_INET, type Notification } from "../../../kernel/nftables-message.ts";
import type { DriftEvent, TransactionReport } from "./event.ts";

/** A probe creates one table; more names than these are no probe of ours. */
const MAX_PROBES = 16;

export class TransactionGrouper {
	readonly #changes = new Set<string>();
	readonly #probes = new Set<string>();

	/**
	 * @param table of family inet: the one to watch.
	 * @param probePrefix what the names of probe tables start with.
	 */
	constructor(
		private readonly table: string,
		private readonly probePrefix: string,
	) {}

	/**
	 * Takes one notification. Gives a report at the end of a transaction that touched the table or made a probe.
	 * @param time milliseconds since the epoch.
	 */
	add(notification: Notification, time: number): TransactionReport | null {
		if (notification.kind === "change") {
			if (notification.family !== NFPROTO_INET) return null;
			if (notification.table === this.table) this.#changes.add(notification.type);
			else if (
				notification.type === "newtable" &&
				notification.table.startsWith(this.probePrefix) &&
				this.#probes.size < MAX_PROBES
			) {
				this.#probes.add(notification.table);
			}
			return null;
		}
		const changes = [...this.#changes];
		const probes = [...this.#probes];
		this.forget();
		if (changes.length === 0 && probes.length === 0) return null;
		const { id, pid, process } = notification;
		const event: DriftEvent | null =
			changes.length === 0 ? null : { time, generation: id, pid, process, changes };
		return { event, pid, probes };
	}

	/** Drops what was gathered, as notifications were lost. */
	forget(): void {
		this.#changes.clear();
		this.#probes.clear();
	}
}
