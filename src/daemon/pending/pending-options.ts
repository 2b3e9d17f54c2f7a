/** What the daemon's pending changes need of the rest of it. */

import type { Config } from "../../config/model.ts";
import type { SshSession } from "../../kernel/ssh-session.ts";
import type { Logger } from "../../report/log.ts";
import type { PendingChange } from "../../state/pending-record.ts";
import type { PendingStore } from "../../state/pending-store.ts";
import type { PendingStager } from "./pending-stager.ts";

export interface PendingEvents {
	/** A change is in force until its deadline; `again` when it was in an earlier process too. */
	started(change: PendingChange, again: boolean): void;
	settled(result: "confirmed" | "rolled_back", change: PendingChange | null, reason: string): void;
	refused(reason: string): void;
}

export interface PendingOptions {
	readonly store: PendingStore;
	readonly stager: Pick<PendingStager, "stage" | "digest" | "sameMeaning">;
	readonly config: () => Config;
	/** Of this run of the kernel; "" where it is not known. */
	readonly boot: string;
	/** Seconds since boot. */
	readonly clock: () => number;
	/** Enforces what `source` names now. Resolves with why that is not in force, or "". */
	readonly enforce: () => Promise<string>;
	/** Why nothing may be changed now, or null. */
	readonly obstacle: () => string | null;
	/** The SSH connection that a process belongs to. */
	readonly session: (pid: number) => SshSession | null;
	readonly events: PendingEvents;
	readonly log: Logger;
}
