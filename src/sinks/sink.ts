/** One sink: what it wants of the alerts goes into its queue, and from there to its receiver, however often that takes. */

import type { SinkSettings } from "../config/sinks.ts";
import type { Alert } from "../report/alert.ts";
import { formatAlert, readAlert } from "../report/formats/format.ts";
import type { SinkDrop, SinkState } from "../report/sink-status.ts";
import { wants } from "./filter.ts";
import type { AlertQueue } from "./queue/alert-queue.ts";
import { allSent, notSent, type Outgoing, type Sent, type Transport } from "./transport.ts";

/** Milliseconds before an attempt that follows a failed one. */
export interface Backoff {
	readonly least: number;
	readonly most: number;
}

const usualBackoff: Backoff = { least: 500, most: 60_000 };

/** An alert with its line of JSON. */
export interface ReadAlert {
	readonly alert: Alert;
	readonly json: string;
}

/** What sinks have done since the start, which goes on where the settings of one change. */
export interface SinkCounts {
	sent: number;
	cut: number;
	errors: number;
	lastSuccess: number | null;
	readonly dropped: Record<SinkDrop, number>;
}

export function noCounts(): SinkCounts {
	return { sent: 0, cut: 0, errors: 0, lastSuccess: null, dropped: { full: 0, refused: 0, lost: 0 } };
}

export interface SinkOptions {
	readonly settings: SinkSettings;
	readonly transport: Transport;
	readonly queue: AlertQueue;
	readonly version: string;
	readonly counts: SinkCounts;
	/** Something of `state` is another. */
	readonly changed: () => void;
	readonly backoff?: Backoff;
}

export class Sink {
	readonly settings: SinkSettings;
	readonly counts: SinkCounts;
	readonly #transport: Transport;
	readonly #queue: AlertQueue;
	readonly #version: string;
	readonly #changed: () => void;
	readonly #backoff: Backoff;
	#state: SinkState["state"] = "idle";
	#error = "";
	/** Attempts that failed since one worked. */
	#failures = 0;
	/** Of the queue's lost lines, those that have been counted. */
	#lost = 0;
	#closed = false;
	/** Ends the wait of the moment. */
	#wake: () => void = () => {};
	/** Whether only what ends it ends the wait. */
	#resting = false;
	readonly #ended: Promise<void>;

	constructor(options: SinkOptions) {
		this.settings = options.settings;
		this.counts = options.counts;
		this.#transport = options.transport;
		this.#queue = options.queue;
		this.#version = options.version;
		this.#changed = options.changed;
		this.#backoff = options.backoff ?? usualBackoff;
		this.#ended = this.#run();
	}

	get state(): SinkState {
		const { name, type } = this.settings;
		const { sent, cut, errors, lastSuccess, dropped } = this.counts;
		return {
			name,
			type,
			state: this.#state,
			error: this.#error,
			diskError: this.#queue.storeError,
			queued: this.#queue.length,
			queuedBytes: this.#queue.bytes,
			sent,
			cut,
			dropped: { ...dropped },
			errors,
			lastSuccess,
			certificateExpires: this.#transport.certificateExpires ?? null,
			addresses: this.#transport.addresses ?? [],
			blocked: "",
		};
	}

	/** Takes what it wants of `alerts`. Never waits. */
	offer(alerts: readonly ReadAlert[]): void {
		const lines = alerts.flatMap(({ alert, json }) => (wants(this.settings, alert) ? [json] : []));
		if (lines.length === 0) return;
		this.counts.dropped.full += this.#queue.push(lines);
		this.#changed();
		if (!this.#resting) this.#wake();
	}

	/** Ends what is under way, and leaves what waits in the queue. Resolves when nothing is sent any more. */
	async close(): Promise<void> {
		this.#closed = true;
		this.#wake();
		this.#transport.close();
		await this.#ended;
		this.#queue.store();
	}

	/** Resolves when the queue is empty, or the receiver takes no more. */
	async drain(milliseconds: number): Promise<void> {
		const end = performance.now() + milliseconds;
		while (this.#queue.length > 0 && this.#state !== "failing" && performance.now() < end)
			await Bun.sleep(10);
	}

	async #run(): Promise<void> {
		while (!this.#closed) {
			if (this.#queue.length === 0) {
				this.#turn("idle");
				await this.#rest(null);
				if (this.#transport.gather > 0 && !this.#closed) await this.#rest(this.#transport.gather, true);
				continue;
			}
			await this.#rest(await this.#attempt(), true);
		}
	}

	/** Sends one batch. Resolves with how long to wait before the next, in milliseconds. */
	async #attempt(): Promise<number> {
		const { alerts, bytes } = this.#transport.most;
		const batch = this.#queue.take(alerts, bytes);
		const lost = this.#countLost();
		// A segment that was skipped has made way. Any other is asked for again later: asking at once would never end.
		if (batch.lines.length === 0)
			return lost > 0 ? 0 : this.#account(notSent(this.#queue.storeError || "the queue cannot be read"), 1);
		const { outgoing, places } = this.#prepare(batch.lines);
		if (this.#state === "idle") this.#turn("sending");
		const sent = outgoing.length === 0 ? allSent(0) : await this.#transport.send(outgoing).catch(notSent);
		// What cannot be read, and comes before the first that was not sent, is gone as well.
		const gone = sent.done < outgoing.length ? (places[sent.done] ?? 0) : batch.lines.length;
		this.#queue.settle(batch, gone);
		this.counts.dropped.lost += gone - sent.done;
		this.#queue.store();
		return this.#account(sent, outgoing.length);
	}

	#account(sent: Sent, wanted: number): number {
		const { counts } = this;
		counts.sent += sent.done - sent.refused;
		counts.cut += sent.cut;
		counts.dropped.refused += sent.refused;
		if (sent.done > sent.refused) {
			counts.lastSuccess = Date.now();
			this.#failures = 0;
		}
		if (sent.error !== "") this.#error = sent.error;
		if (sent.done === wanted || sent.error === "") {
			if (sent.error === "" && sent.done > 0) this.#error = "";
			this.#turn("sending");
			return sent.wait ?? 0;
		}
		if (this.#closed) return 0;
		counts.errors++;
		const { least, most } = this.#backoff;
		const longest = Math.min(most, least * 2 ** Math.min(this.#failures++, 30));
		this.#turn("failing");
		// A fleet that lost its receiver shall not come back to it all at once.
		return sent.wait ?? longest * (0.5 + Math.random() / 2);
	}

	/** An alert as it is sent; null where none can be made of the line. */
	#read(json: string): Outgoing | null {
		const alert = readAlert(json);
		if (alert === null) return null;
		try {
			return { alert, text: formatAlert(this.settings.format, alert, json, this.#version) };
		} catch {
			// A queue on disk may be another version's, with words that this one does not know.
			return null;
		}
	}

	#prepare(lines: readonly string[]): {
		readonly outgoing: readonly Outgoing[];
		readonly places: readonly number[];
	} {
		const outgoing: Outgoing[] = [];
		const places: number[] = [];
		for (const [index, json] of lines.entries()) {
			const read = this.#read(json);
			if (read === null) continue;
			outgoing.push(read);
			places.push(index);
		}
		return { outgoing, places };
	}

	/** Counts what the queue has lost since. Returns how many alerts that is. */
	#countLost(): number {
		const lost = this.#queue.lost - this.#lost;
		this.counts.dropped.lost += lost;
		this.#lost = this.#queue.lost;
		return lost;
	}

	#turn(state: SinkState["state"]): void {
		this.#state = state;
		this.#changed();
	}

	/** @param milliseconds null until something comes; @param whole whether alerts that come do not end it */
	async #rest(milliseconds: number | null, whole = false): Promise<void> {
		if (this.#closed) return;
		const wake = Promise.withResolvers<void>();
		this.#wake = wake.resolve;
		this.#resting = whole;
		const timer = milliseconds === null ? null : setTimeout(wake.resolve, milliseconds);
		await wake.promise;
		if (timer !== null) clearTimeout(timer);
		this.#resting = false;
		this.#wake = () => {};
	}
}
