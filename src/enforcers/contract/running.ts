/** The half of an enforcer that runs in the daemon, on its main thread. */

import type { EnforcerReport } from "../../report/contribution.ts";

/** @template Sent what Enforcer.send gives it */
export interface RunningEnforcer<Sent = unknown> {
	readonly name: string;
	/** Begins to listen, before policies are read. Resolves as soon as they may be read. */
	start(): Promise<void>;
	/** Puts in force what is for it of what was just read. Resolves when it is, or cannot be for now. */
	apply(sent: Sent): Promise<void>;
	/** The first attempt to enforce is over: begins what runs beside. */
	begin(): void;
	/** Brings up to date what it reports, if that does not take long. */
	refresh(): Promise<void>;
	/** Its state, status, metrics and page. `sent` is null before the first reading. */
	report(sent: Sent | null): EnforcerReport;
	/** What the operator should know though nothing is broken, as sentences. */
	readonly warnings: readonly string[];
	/** Whether somebody may wait for its decisions at any time, so that its code is to stay in memory. */
	isUrgent(sent: Sent): boolean;
	/** Threads that must answer sooner or later. */
	readonly workers: Readonly<Record<string, BusyWorker>>;
	/** Ends it and leaves everything in the kernel as it is. */
	stop(): Promise<void>;
}

export interface BusyWorker {
	/** What it is doing, and since when; null where nothing. */
	readonly busy: { readonly call: string; readonly milliseconds: number } | null;
}
