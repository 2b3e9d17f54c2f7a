/** What the service manager is told: ready, reloading, stopping, a status line, and that the process is alive. */

import { NotifySocket } from "../../ffi/notify.ts";

/** The part of the environment that the service manager sets (sd_notify(3), sd_watchdog_enabled(3)). */
export type ServiceEnvironment = Record<string, string | undefined>;

export interface ServiceManagerOptions {
	readonly environment: ServiceEnvironment;
	readonly warn: (message: string) => void;
	readonly pid?: number;
	/** CLOCK_MONOTONIC in microseconds. */
	readonly now?: () => bigint;
}

/** What a watchdog asks for at every beat. */
export interface Vitals {
	/** Why the process must be taken for dead, or "". */
	readonly stuck: () => string;
	/** One line for `systemctl status`. */
	readonly status: () => string;
}

/** A status line is for people; the kernel's limit for a datagram is far away. */
const longestStatus = 500;

/** Without a watchdog, status lines and what could not be sent before still go out now and then. */
const idleBeatMs = 10_000;

/** A watchdog that expects a sign of life more often than this is a mistake, and would cost more than it tells. */
const fastestBeatMs = 50;

export class ServiceManager {
	readonly #warn: (message: string) => void;
	readonly #now: () => bigint;
	#socket: NotifySocket | null = null;
	readonly #watchdogMs: number | null;
	/** Not sent yet: the manager's queue was full. */
	#unsent: string[] = [];
	#status = "";
	#stuck = "";
	#beat: ReturnType<typeof setInterval> | null = null;

	/** Takes the variables out of the environment, so that they are meant for this process alone. */
	constructor({ environment, warn, pid = process.pid, now = monotonic }: ServiceManagerOptions) {
		this.#warn = warn;
		this.#now = now;
		const address = take(environment, "NOTIFY_SOCKET");
		const period = take(environment, "WATCHDOG_USEC");
		const watched = take(environment, "WATCHDOG_PID");
		this.#watchdogMs = address === "" ? null : watchdogPeriod(period, watched, pid);
		if (address === "") return;
		const opened = NotifySocket.open(address);
		if (opened.ok) this.#socket = opened.socket;
		else warn(`the service manager cannot be told anything: NOTIFY_SOCKET: ${opened.error}`);
	}

	/** Milliseconds between two signs of life; null where nobody waits for one. */
	get beatMs(): number | null {
		return this.#watchdogMs === null ? null : Math.max(fastestBeatMs, Math.floor(this.#watchdogMs / 2));
	}

	/** Gives signs of life from now on, and keeps the status line up to date. They come from the caller's event loop. */
	watch(vitals: Vitals): void {
		if (this.#socket === null) return;
		const beat = () => this.#sign(vitals);
		beat();
		this.#beat = setInterval(beat, this.beatMs ?? idleBeatMs);
		this.#beat.unref();
	}

	/** The first attempt is over, or a reload is. */
	ready(status: string): void {
		this.#send(["READY=1", ...this.#statusLine(status)]);
	}

	reloading(): void {
		this.#send(["RELOADING=1", `MONOTONIC_USEC=${this.#now()}`]);
	}

	stopping(): void {
		this.#send(["STOPPING=1", ...this.#statusLine("stopping; the rules stay in force")]);
	}

	close(): void {
		if (this.#beat) clearInterval(this.#beat);
		this.#socket?.close();
		this.#socket = null;
	}

	#sign({ stuck, status }: Vitals): void {
		const reason = stuck();
		if (reason !== "" && this.#stuck === "") this.#warn(`the watchdog gets no sign of life: ${reason}`);
		this.#stuck = reason;
		const alive = this.#watchdogMs !== null && reason === "" ? ["WATCHDOG=1"] : [];
		this.#send([...alive, ...this.#statusLine(status())]);
	}

	#statusLine(text: string): string[] {
		const line = text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ").slice(0, longestStatus);
		if (line === this.#status) return [];
		this.#status = line;
		return [`STATUS=${line}`];
	}

	#send(assignments: readonly string[]): void {
		if (this.#socket === null) return;
		// A datagram holds a name once: of what waits, the newest counts.
		const byName = new Map([...this.#unsent, ...assignments].map((line) => [line.split("=", 1)[0], line]));
		if (byName.size === 0) return;
		const error = this.#socket.send([...byName.values()]);
		// An old sign of life would be a lie; everything else is as true later.
		byName.delete("WATCHDOG");
		this.#unsent = error === null ? [] : [...byName.values()];
	}
}

function take(environment: ServiceEnvironment, name: string): string {
	const value = environment[name] ?? "";
	delete environment[name];
	return value;
}

/** Milliseconds, or null where this process is not the one that is watched. */
function watchdogPeriod(microseconds: string, watched: string, pid: number): number | null {
	if (!/^[1-9]\d{0,15}$/.test(microseconds)) return null;
	if (watched !== "" && watched !== String(pid)) return null;
	return Number(microseconds) / 1000;
}

function monotonic(): bigint {
	return process.hrtime.bigint() / 1000n;
}
