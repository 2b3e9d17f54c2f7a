/**
 * Whether panic-open stands, as its record says. The record is read whenever
 * the table might be closed, and from time to time: what panic-open and resume
 * wrote counts also where they could not tell this daemon.
 */

import { type FSWatcher, statSync, watch } from "node:fs";
import { basename } from "node:path";
import { untilTick } from "../base/tick.ts";
import type { DriftEvent } from "../enforcers/network/observe/event.ts";
import type { HostIdentity } from "../report/alert.ts";
import type { Logger } from "../report/log.ts";
import { panicAlert } from "../report/panic-alert.ts";
import type { AlertSink } from "../report/sinks/alert-sink.ts";
import type { PanicState, Readiness } from "../report/status.ts";
import { cleanReason, panicPath, readPanic } from "../state/panic.ts";

export interface PanicWatchOptions {
	readonly stateDirectory: string;
	/** False with --insecure-permissions: a record that others can write counts as well. */
	readonly checkPermissions?: boolean;
	readonly table: string;
	readonly sink: Pick<AlertSink, "publish">;
	readonly identity: HostIdentity;
	readonly log: Logger;
	/** Called when the record came or went without `check` having been asked. */
	readonly changed: () => void;
	/** Milliseconds between two looks. */
	readonly pollMs?: number;
	/** Milliseconds between two warnings that the table is still open. */
	readonly remindMs?: number;
}

/** Without a watch, and behind it. */
const defaultPollMs = 2000;
const watchedPollMs = 60_000;
const defaultRemindMs = 10 * 60_000;

export class PanicWatch {
	readonly #options: PanicWatchOptions;
	#state: PanicState | null = null;
	#problem: string | null = null;
	/** Stands in for a record that could not be written, for as long as this process lives. */
	#held: PanicState | null = null;
	#reminded = 0;
	#timer: ReturnType<typeof setTimeout> | null = null;
	#watcher: FSWatcher | null = null;
	/** Device and inode of the directory that is watched: another may have taken its place. */
	#watched = "";

	constructor(options: PanicWatchOptions) {
		this.#options = options;
	}

	/** What `check` saw last. */
	get state(): PanicState | null {
		return this.#state;
	}

	/** Lets the table stay open without a record, until `release` or the end of this process. */
	hold(reason: string): void {
		this.#held ??= { since: new Date().toISOString(), reason: cleanReason(reason) };
	}

	/** Ends what `hold` began. */
	release(): void {
		this.#held = null;
	}

	/** Somebody else changed the table. True where that is not undone but the table kept open, which is logged. */
	drifted({ process, pid, changes }: DriftEvent): boolean {
		if (this.check() === null) return false;
		const fields = { process, pid, changes: changes.join(",") };
		this.#options.log.warn("somebody else changed the firewall's table; panic-open keeps it open", fields);
		return true;
	}

	/** Why the table is to stay open, or null. */
	reason(): string | null {
		const panic = this.check();
		return panic && panicReason(panic);
	}

	start(): void {
		this.check();
		this.#watch();
		this.#arm();
	}

	stop(): void {
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#timer = null;
		this.#watcher?.close();
		this.#watcher = null;
	}

	/** Reads the record, and alerts of what changed. Where nobody can tell whether there is one, the last answer holds. */
	check(): PanicState | null {
		const { checkPermissions = true, log, stateDirectory } = this.#options;
		const read = readPanic(stateDirectory, { checkPermissions });
		if (read.problem !== null && read.problem !== this.#problem) {
			log.error(
				read.open
					? "the record of panic-open is damaged; it counts all the same, until portward resume"
					: "nobody can tell whether panic-open stands; what was so before holds",
				{ reason: read.problem },
			);
		}
		this.#problem = read.problem;
		if (read.open) {
			const { since, reason } = read.record;
			this.#become({ since: new Date(since).toISOString(), reason });
		} else if (read.problem === null || this.#held !== null) this.#become(this.#held);
		return this.#state;
	}

	#become(next: PanicState | null): void {
		const { identity, log, sink, table } = this.#options;
		const before = this.#state;
		this.#state = next;
		if (before?.since === next?.since && before?.reason === next?.reason) return;
		const time = Date.now();
		if (next !== null) {
			this.#reminded = performance.now();
			log.warn("panic-open: no network policy is enforced until portward resume", { table, ...next });
			sink.publish([panicAlert(next, true, table, time, identity)]);
		} else if (before !== null) {
			log.warn("panic-open has ended: the network policies are enforced again", { table });
			sink.publish([panicAlert(before, false, table, time, identity)]);
		}
	}

	/** Events of the directory tell at once; where there are none, it is looked at more often. */
	#watch(): void {
		const { stateDirectory } = this.#options;
		const record = basename(panicPath(stateDirectory));
		try {
			const { dev, ino } = statSync(stateDirectory, { bigint: true });
			const directory = `${dev}:${ino}`;
			if (this.#watcher !== null && directory === this.#watched) return;
			this.#watcher?.close();
			this.#watcher = null;
			this.#watched = directory;
			this.#watcher = watch(stateDirectory, (_, name) => {
				if (name === null || name === record) this.#poll();
			});
			this.#watcher.on("error", () => {
				this.#watcher?.close();
				this.#watcher = null;
			});
			this.#watcher.unref();
		} catch {
			// Out of inotify watches, or no directory.
		}
	}

	#arm(): void {
		const period = this.#options.pollMs ?? (this.#watcher === null ? defaultPollMs : watchedPollMs);
		this.#timer = setTimeout(
			() => {
				this.#poll();
				this.#watch();
				this.#arm();
			},
			untilTick(performance.now(), period),
		);
		this.#timer.unref();
	}

	#poll(): void {
		const before = this.#state;
		const now = this.check();
		if ((before === null) !== (now === null)) this.#options.changed();
		if (now === null || performance.now() - this.#reminded < (this.#options.remindMs ?? defaultRemindMs))
			return;
		this.#reminded = performance.now();
		this.#options.log.warn("the network table is still open: portward resume closes it", { ...now });
	}
}

/** What the enforcer says of itself while panic-open stands; one line. */
export function panicReason({ since, reason }: PanicState): string {
	return `panic-open since ${since}: ${reason}`;
}

/** The answer of /readyz while panic-open stands, else null. */
export function panicReadiness(panic: PanicState | null): Readiness | null {
	return panic && { ready: false, body: `not ready: no network policy is enforced: ${panicReason(panic)}` };
}
