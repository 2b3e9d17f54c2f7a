/** The main thread's end of the uevent Worker: keeps one running, and tells when events may have been missed. */

import { Observer } from "../../../threads/observer.ts";
import type { UsbEvent } from "./uevent.ts";
import type { Backend, SourceOptions } from "./uevent-source.ts";

export type UeventSettings = SourceOptions;

export type UeventReport =
	| { readonly kind: "ready" }
	| { readonly kind: "events"; readonly events: readonly UsbEvent[] }
	/** The kernel dropped events. */
	| { readonly kind: "lost" };

export interface UsbEventHandlers {
	event(event: UsbEvent): void;
	/** The kernel dropped events: look at every device again. */
	lost(): void;
	/** Events arrive again, after a time when nobody listened, or do not. */
	changed(state: SourceState): void;
}

export type SourceState =
	| { readonly state: "listening" }
	| { readonly state: "down"; readonly reason: string };

/** Where the enforcer gets its events from. */
export interface UsbEvents {
	readonly backend: Backend;
	/** Resolves when events arrive, or when it is known that they do not. */
	start(handlers: UsbEventHandlers): Promise<SourceState>;
	stop(): Promise<void>;
}

/** Between two starts of a Worker that ends. */
const restartMs = 1000;
/** How long the start waits for a Worker that says nothing. */
const readyMs = 5000;

export class UsbObserver implements UsbEvents {
	readonly backend: Backend;
	#observer: Observer | null = null;
	#stopped = false;

	constructor(
		private readonly createWorker: () => Worker,
		private readonly settings: UeventSettings,
	) {
		this.backend = settings.backend;
	}

	async start(handlers: UsbEventHandlers): Promise<SourceState> {
		this.#stopped = false;
		const first = Promise.withResolvers<SourceState>();
		this.#launch(handlers, (state) => first.resolve(state));
		const timer = setTimeout(
			() => first.resolve({ state: "down", reason: "the uevent worker does not answer" }),
			readyMs,
		);
		const state = await first.promise;
		clearTimeout(timer);
		return state;
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		await this.#observer?.stop();
	}

	/** `first` gets the new Worker's first state, the handlers every later one. */
	#launch(handlers: UsbEventHandlers, first: (state: SourceState) => void): void {
		let told = false;
		const tell = (state: SourceState): void => {
			if (told) handlers.changed(state);
			else first(state);
			told = true;
		};
		const down = (reason: string): void => {
			if (this.#stopped) return;
			this.#observer = null;
			tell({ state: "down", reason });
			setTimeout(() => {
				if (!this.#stopped) this.#launch(handlers, (state) => handlers.changed(state));
			}, restartMs);
		};
		const started = Observer.start<UeventSettings, UeventReport>(this.createWorker(), this.settings, {
			report: (report) => {
				if (report.kind === "events") for (const event of report.events) handlers.event(event);
				else if (report.kind === "lost") handlers.lost();
				else {
					tell({ state: "listening" });
				}
			},
			ended: down,
		});
		if (started.ok) this.#observer = started.observer;
		else down(started.error);
	}
}
