/**
 * The main thread's end of the sinks: passes alerts on to their thread, which is there only while sinks are wanted, and
 * knows what it said last. What the thread does not come to is dropped here and counted: nothing waits for a sink.
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { SinkSettings } from "../config/sinks.ts";
import type { Alert, HostIdentity } from "../report/alert.ts";
import type { Logger } from "../report/log.ts";
import { droppedOf, type SinkDrop, type SinkState, sinkAlert, unheardSink } from "../report/sink-status.ts";
import type { AlertLine } from "../report/sinks/alert-ring.ts";
import type { FromSinks, ToSinks } from "./protocol.ts";

/** Alerts on their way to the thread, beyond which the next ones are dropped. */
const mostUnderWay = 10_000;
/** Milliseconds between two alerts of what one sink dropped. */
const tellInterval = 60_000;
const restartAfter = 5000;
/** Milliseconds for which receivers may take what waits when the daemon stops, and for the thread to end after that. */
const drainTime = 300;
const endTime = 300;

export interface SinkTelling {
	readonly sink: { publish(alerts: readonly Alert[]): void };
	readonly identity: HostIdentity;
}

export interface SinkServiceOptions {
	readonly createWorker: () => Worker;
	readonly stateDirectory: string;
	readonly version: string;
	readonly log: Logger;
	/** The sinks are others, or what their names lead to. */
	readonly addressed?: () => void;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
	/** Milliseconds until a thread that ended is started again. */
	readonly restartAfter?: number;
}

type Drops = Readonly<Record<SinkDrop, number>>;
const noDrops: Drops = { full: 0, refused: 0, lost: 0 };

/** What has been told of a sink's drops. */
interface Told {
	readonly dropped: Drops;
	readonly time: number;
	/** The alert about them may have been dropped as well, which is not worth another. */
	readonly own: number;
}

export class SinkService {
	readonly #options: SinkServiceOptions;
	/** Null until they are known. */
	#settings: readonly SinkSettings[] | null = null;
	#worker: Worker | null = null;
	#handled = new Int32Array(new SharedArrayBuffer(4));
	/** Alerts that were passed on to the thread of the moment, as a 32-bit number that wraps. */
	#passed = 0;
	#states = new Map<string, SinkState>();
	#telling: SinkTelling | null = null;
	readonly #told = new Map<string, Told>();
	#tellTimer: ReturnType<typeof setTimeout> | null = null;
	#restartTimer: ReturnType<typeof setTimeout> | null = null;
	/** Ends the wait for the thread's last word. */
	#stopped: () => void = () => {};
	#stopping = false;

	constructor(options: SinkServiceOptions) {
		this.#options = options;
	}

	/** From now on what a sink drops is told. */
	begin(telling: SinkTelling): void {
		this.#telling = telling;
	}

	/** What is known of each sink, in the order of the settings. */
	get states(): readonly SinkState[] {
		return this.wanted.map((settings) => this.#states.get(settings.name) ?? unheardSink(settings));
	}

	/** Makes the sinks those that the settings name. */
	configure(sinks: readonly SinkSettings[]): void {
		if (Bun.deepEquals(sinks, this.#settings)) return;
		this.#settings = sinks;
		this.#options.addressed?.();
		// Queues of sinks that an earlier process had are removed by the thread, which then ends.
		if (this.#worker === null && (sinks.length > 0 || this.#leftQueues())) this.#start();
		else this.#configure();
	}

	/** Passes alerts on. Returns how many there was no room for. Never throws, never waits. */
	write(alerts: readonly AlertLine[]): number {
		if (this.wanted.length === 0 || alerts.length === 0) return 0;
		if (this.#worker === null) return alerts.length;
		const room = mostUnderWay - this.#underWay;
		const lines = alerts.slice(0, Math.max(0, room)).map(({ json }) => json);
		if (lines.length > 0) this.#send({ kind: "alerts", lines });
		this.#passed = (this.#passed + lines.length) | 0;
		return alerts.length - lines.length;
	}

	/** Gives receivers a moment to take what waits, and ends the thread. */
	async stop(): Promise<void> {
		this.#stopping = true;
		for (const timer of [this.#tellTimer, this.#restartTimer]) if (timer !== null) clearTimeout(timer);
		const worker = this.#worker;
		if (worker === null) return;
		const stopped = Promise.withResolvers<void>();
		this.#stopped = stopped.resolve;
		this.#send({ kind: "stop", milliseconds: drainTime });
		const timer = setTimeout(stopped.resolve, drainTime + endTime);
		await stopped.promise;
		clearTimeout(timer);
		this.#worker = null;
		worker.terminate();
	}

	/** The sinks that the settings name. */
	get wanted(): readonly SinkSettings[] {
		return this.#settings ?? [];
	}

	#leftQueues(): boolean {
		try {
			return readdirSync(join(this.#options.stateDirectory, "sinks")).length > 0;
		} catch {
			return false;
		}
	}

	get #underWay(): number {
		return (this.#passed - Atomics.load(this.#handled, 0)) | 0;
	}

	#send(message: ToSinks): void {
		this.#worker?.postMessage(message);
	}

	#configure(): void {
		const { stateDirectory, version } = this.#options;
		this.#send({ kind: "configure", configuration: { sinks: this.wanted, stateDirectory, version } });
	}

	#start(): void {
		const worker = this.#options.createWorker();
		const handled = new SharedArrayBuffer(4);
		this.#worker = worker;
		this.#handled = new Int32Array(handled);
		this.#passed = 0;
		let reason = "it ended without a word";
		worker.onmessage = ({ data }: MessageEvent<FromSinks>) => this.#hear(data);
		worker.onerror = (event) => {
			event.preventDefault();
			reason = event.message;
		};
		worker.addEventListener("close", () => this.#gone(worker, reason), { once: true });
		this.#send({ kind: "start", handled });
		this.#configure();
	}

	/** The queues in memory are lost with the thread; those on disk are there for the next one. */
	#gone(worker: Worker, reason: string): void {
		this.#stopped();
		if (this.#stopping || this.#worker !== worker) return;
		this.#worker = null;
		this.#options.log.error("the thread of the sinks ended, and is started again", { reason });
		for (const state of this.states) {
			this.#states.set(state.name, { ...state, state: "failing", error: "their thread ended" });
		}
		this.#restartTimer = setTimeout(() => {
			if (this.#worker === null && this.wanted.length > 0) this.#start();
		}, this.#options.restartAfter ?? restartAfter);
	}

	#hear(message: FromSinks): void {
		if (message.kind === "stopped") {
			this.#stopped();
			return;
		}
		// Where alerts go is being closed: what is dropped now stands in no alert.
		if (this.#stopping) return;
		const before = this.#states;
		this.#states = new Map(message.sinks.map((state) => [state.name, state]));
		for (const state of message.sinks) this.#logChange(before.get(state.name)?.state ?? "idle", state);
		const addressed = message.sinks.some(
			({ name, addresses }) => !Bun.deepEquals(addresses, before.get(name)?.addresses ?? []),
		);
		if (addressed) this.#options.addressed?.();
		for (const { name, alerts } of message.removed) {
			this.#options.log.warn("a sink is gone from the settings, and its queue with it", {
				sink: name,
				alerts,
			});
			this.#publish({ name, error: "", queued: 0 }, { ...noDrops, lost: alerts });
		}
		// The thread has nothing to do any more, and nothing to tell.
		if (this.wanted.length === 0 && message.sinks.length === 0) void this.#retire();
		this.#tellDrops();
	}

	async #retire(): Promise<void> {
		const worker = this.#worker;
		this.#worker = null;
		worker?.terminate();
	}

	#logChange(before: SinkState["state"], { name, state, error, queued }: SinkState): void {
		const { log } = this.#options;
		if (before !== "failing" && state === "failing")
			log.warn("alerts do not reach a sink", { sink: name, reason: error, queued });
		if (before === "failing" && state !== "failing") log.info("alerts reach a sink again", { sink: name });
	}

	/** Tells what was dropped since it was told last, of each sink at most once a minute. */
	#tellDrops(): void {
		const now = this.#now();
		let next = Number.POSITIVE_INFINITY;
		for (const state of this.states) {
			const told = this.#told.get(state.name) ?? { dropped: noDrops, time: Number.NEGATIVE_INFINITY, own: 0 };
			const grown = difference(state.dropped, told.dropped);
			if (droppedOf({ dropped: grown }) <= told.own) continue;
			if (now - told.time < tellInterval) {
				next = Math.min(next, told.time + tellInterval - now);
				continue;
			}
			this.#told.set(state.name, { dropped: state.dropped, time: now, own: 1 });
			this.#publish(state, grown);
		}
		if (this.#tellTimer !== null || next === Number.POSITIVE_INFINITY || this.#stopping) return;
		this.#tellTimer = setTimeout(() => {
			this.#tellTimer = null;
			this.#tellDrops();
		}, next);
		this.#tellTimer.unref();
	}

	#publish(sink: Pick<SinkState, "name" | "error" | "queued">, grown: Drops): void {
		if (this.#telling === null) return;
		this.#telling.sink.publish([sinkAlert(sink, grown, this.#now(), this.#telling.identity)]);
	}

	#now(): number {
		return this.#options.now?.() ?? Date.now();
	}
}

/** What was dropped since; all of it where the counts have begun anew. */
function difference(now: Drops, before: Drops): Drops {
	const since = (key: SinkDrop) => (now[key] < before[key] ? now[key] : now[key] - before[key]);
	return { full: since("full"), refused: since("refused"), lost: since("lost") };
}
