/** Runs the two Workers that listen to the kernel, and starts them again when they end. */

import { Observer } from "../../../threads/observer.ts";
import type { DriftFilter } from "../observe/drift-filter.ts";
import { PROBE_PREFIX } from "../observe/drift-filter.ts";
import type { DriftEvent, PacketBatch } from "../observe/event.ts";
import type {
	DriftReport,
	DriftSettings,
	ListeningSocket,
	NflogReport,
	NflogSettings,
} from "../observe/observer-protocol.ts";

export interface ObserverOptions {
	readonly table: string;
	readonly nflogGroup: number;
	/** Alerts a second over all rules. */
	readonly alertsPerSecond: number;
	readonly createWorker: (name: "nflog" | "drift") => Worker;
	readonly drift: DriftFilter;
	packets(batch: PacketBatch): void;
	/** A new drift Worker sees transactions from now on. */
	driftReady(socket: ListeningSocket): void;
	/** It ended. */
	driftEnded(): void;
	/** The host may have another name. */
	renamed(): void;
	/** The NFLOG Worker is a new one. */
	nflogStarted(): void;
	/** Notifications were lost: the table may have changed unseen. */
	suspect(event: DriftEvent): void;
	warn(message: string): void;
}

/** Before a Worker that ended is started again; doubled each time until it says that it is ready. */
const firstRestartMs = 1000;
const lastRestartMs = 60_000;
/** How long the start waits for a Worker that says nothing. */
const readyMs = 2000;

const without = {
	nflog: "packets are judged and counted, but raise no alerts",
	drift: "changes that others make to the firewall's table are not noticed",
} as const;

/** What nobody saw. @param time milliseconds since the epoch */
export function unknownChange(time: number): DriftEvent {
	return { time, generation: 0, pid: 0, process: "", changes: ["unknown"] };
}

export class NetworkObservers {
	readonly #options: ObserverOptions;
	readonly #running = new Map<"nflog" | "drift", { stop(): Promise<void> }>();
	readonly #restartMs = { nflog: firstRestartMs, drift: firstRestartMs };
	readonly #failures = new Map<"nflog" | "drift", string>();
	#stopped = false;

	constructor(options: ObserverOptions) {
		this.#options = options;
	}

	/** Resolves when both listen, or have said that they cannot. */
	async start(): Promise<void> {
		await Promise.all([this.#startNflog(), this.#startDrift()]);
	}

	/** What the host goes without while a Worker cannot run, as sentences; none while both do. */
	get warnings(): string[] {
		return [...this.#failures].map(([name, error]) => `${without[name]}: ${error}`);
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		await Promise.all([...this.#running.values()].map((observer) => observer.stop()));
	}

	#startNflog(): Promise<void> {
		const { nflogGroup, alertsPerSecond, packets, nflogStarted } = this.#options;
		nflogStarted();
		return this.#launch<NflogSettings, NflogReport>(
			"nflog",
			{ group: nflogGroup, perSecond: alertsPerSecond },
			(message) => {
				if (message.kind === "packets") packets(message.batch);
			},
			() => this.#startNflog(),
		);
	}

	#startDrift(): Promise<void> {
		const { table, drift, suspect, driftReady, renamed } = this.#options;
		return this.#launch<DriftSettings, DriftReport>(
			"drift",
			{ table, probePrefix: PROBE_PREFIX },
			(message) => {
				if (message.kind === "ready") driftReady({ fd: message.fd, portId: message.portId });
				else if (message.kind === "transaction") drift.add(message.report);
				else if (message.kind === "renamed") renamed();
				else if (message.kind === "suspect") {
					suspect(unknownChange(message.time));
				}
			},
			() => this.#startDrift(),
		);
	}

	async #launch<Settings, Report extends { readonly kind: string }>(
		name: "nflog" | "drift",
		settings: Settings,
		handle: (report: Report) => void,
		again: () => Promise<void>,
	): Promise<void> {
		if (this.#stopped) return;
		const { createWorker, warn } = this.#options;
		const ready = Promise.withResolvers<void>();
		const started = Observer.start<Settings, Report>(createWorker(name), settings, {
			report: (report) => {
				if (report.kind === "ready") {
					this.#restartMs[name] = firstRestartMs;
					this.#failures.delete(name);
					ready.resolve();
				}
				handle(report);
			},
			ended: (error) => {
				this.#running.delete(name);
				ready.resolve();
				if (name === "drift") this.#options.driftEnded();
				if (this.#stopped) return;
				this.#failures.set(name, error);
				warn(`the ${name} worker ended and is started again: ${error}`);
				setTimeout(() => void again(), this.#restartMs[name]).unref();
				this.#restartMs[name] = Math.min(this.#restartMs[name] * 2, lastRestartMs);
			},
		});
		if (!started.ok) {
			this.#failures.set(name, started.error);
			warn(`the ${name} worker could not be started: ${started.error}`);
			return;
		}
		this.#running.set(name, started.observer);
		await Promise.race([ready.promise, Bun.sleep(readyMs)]);
	}
}
