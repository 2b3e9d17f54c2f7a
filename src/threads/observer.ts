/** The main thread's end of an observing Worker: starts it, passes on what it reports, notices its death, stops it. */

import { EventFd } from "../../ffi/wait.ts";
import type { FailedMessage, ObserverMessage, ObserverStart, StoppedMessage } from "./observer-protocol.ts";

/** How long a Worker may take to end by itself, and to die when it is terminated. */
const STOP_MS = 500;

export interface ObserverHandlers<Report> {
	report(report: Report): void;
	/** The Worker ended though nobody stopped it. Called at most once, and never after stop(). */
	ended(error: string): void;
}

export type ObserverResult =
	| { readonly ok: true; readonly observer: Observer }
	| { readonly ok: false; readonly error: string };

export class Observer {
	readonly #ended = Promise.withResolvers<void>();
	#stopping = false;

	private constructor(
		private readonly worker: Worker,
		private readonly stopEvent: EventFd,
	) {}

	/** Starts a Worker that was just constructed; only its `ready` report says that it runs. */
	static start<Settings, Report extends { readonly kind: string }>(
		worker: Worker,
		settings: Settings,
		handlers: ObserverHandlers<Report>,
	): ObserverResult {
		const stopEvent = EventFd.create();
		if (!stopEvent.ok) {
			worker.terminate();
			return stopEvent;
		}
		const observer = new Observer(worker, stopEvent.event);
		const handled = new SharedArrayBuffer(4);
		observer.#listen(handlers, new Int32Array(handled));
		const start: ObserverStart<Settings> = { stopFd: stopEvent.event.fd, handled, settings };
		worker.postMessage(start);
		return { ok: true, observer };
	}

	/**
	 * Tells the Worker to end and waits until it has. One that does not within half a second is terminated; a
	 * thread that does not even heed that within as long again is left to the end of the process.
	 */
	async stop(): Promise<void> {
		this.#stopping = true;
		this.stopEvent.signal();
		if (await this.#endsWithin(STOP_MS)) return;
		this.worker.terminate();
		await this.#endsWithin(STOP_MS);
	}

	async #endsWithin(milliseconds: number): Promise<boolean> {
		const late = Promise.withResolvers<false>();
		const timer = setTimeout(() => late.resolve(false), milliseconds);
		const ended = await Promise.race([this.#ended.promise.then(() => true), late.promise]);
		clearTimeout(timer);
		return ended;
	}

	#listen<Report extends { readonly kind: string }>(
		handlers: ObserverHandlers<Report>,
		handled: Int32Array,
	): void {
		let error = "the Worker ended without a word";
		this.worker.onmessage = ({ data }: MessageEvent<ObserverMessage<Report>>) => {
			try {
				if (isFailed(data)) error = data.error;
				else if (!isStopped(data)) handlers.report(data);
			} finally {
				Atomics.add(handled, 0, 1);
			}
		};
		this.worker.onerror = (event) => {
			event.preventDefault();
			error = event.message;
		};
		this.worker.addEventListener(
			"close",
			() => {
				this.stopEvent.close();
				this.#ended.resolve();
				if (!this.#stopping) handlers.ended(error);
			},
			{ once: true },
		);
	}
}

function isFailed(message: { readonly kind: string }): message is FailedMessage {
	return message.kind === "failed";
}

function isStopped(message: { readonly kind: string }): message is StoppedMessage {
	return message.kind === "stopped";
}
