/** Pending changes in the daemon: put together, logged, alerted and counted. */

import { bootTime } from "../../../ffi/clock.ts";
import { exchangePaths } from "../../../ffi/rename.ts";
import { bootId } from "../../enforcers/usb/run/memory.ts";
import type { PolicySettings } from "../../engine/reading.ts";
import { checkedSshSession } from "../../kernel/ssh-proof.ts";
import type { HostIdentity } from "../../report/alert.ts";
import { type ChangeFacts, type ChangeStep, changeAlert } from "../../report/change-alert.ts";
import type { Logger } from "../../report/log.ts";
import type { ChangeCounts, ChangeResult } from "../../report/metrics/change-metrics.ts";
import type { AlertSink } from "../../report/sinks/alert-sink.ts";
import type { ControlVerbs } from "../../serve/control/control-service.ts";
import { fileOperations } from "../../state/pending-files.ts";
import { PendingStore } from "../../state/pending-store.ts";
import type { WorkerLike } from "../../threads/rpc.ts";
import { PendingChanges } from "./pending-changes.ts";
import { PendingStager } from "./pending-stager.ts";

export interface PendingServiceOptions {
	readonly settings: () => PolicySettings;
	/** Makes a Worker for policies. */
	readonly createWorker: () => WorkerLike;
	readonly enforce: () => Promise<string>;
	readonly obstacle: () => string | null;
	/** A change was confirmed or rolled back; null for a record of it that was lost. */
	readonly settled: (result: "confirmed" | "rolled_back", change: ChangeFacts, how: string) => void;
	readonly sink: Pick<AlertSink, "publish">;
	readonly identity: HostIdentity;
	readonly log: Logger;
}

export class PendingService {
	readonly changes: PendingChanges;
	readonly #options: PendingServiceOptions;
	readonly #counts: Record<ChangeResult, number> = { confirmed: 0, rolled_back: 0, refused: 0 };

	constructor(options: PendingServiceOptions) {
		const { settings, createWorker, enforce, obstacle, log } = options;
		this.#options = options;
		const stager = new PendingStager(createWorker, settings);
		// The disk may take its time; this thread does not wait for it.
		const operations = fileOperations(exchangePaths, (directory) => stager.sync(directory));
		this.changes = new PendingChanges({
			store: new PendingStore(settings().config.stateDir, operations),
			stager,
			config: () => settings().config,
			boot: bootId(),
			clock: bootTime,
			enforce,
			obstacle,
			session: checkedSshSession,
			events: {
				started: (change, again) => this.#tell(again ? "resumed" : "started", change, ""),
				settled: (result, change, reason) => {
					this.#counts[result] += 1;
					this.#tell(result, change, reason);
					options.settled(result, change, reason);
				},
				refused: (reason) => {
					this.#counts.refused += 1;
					this.#tell("refused", null, reason);
				},
			},
			log,
		});
	}

	get counts(): ChangeCounts {
		return this.#counts;
	}

	/** What the policies are read by: where they are depends on what is pending. */
	get settings(): PolicySettings {
		return { ...this.#options.settings(), ...this.changes.source };
	}

	get verbs(): Pick<ControlVerbs, "apply" | "confirm" | "rollback"> {
		return {
			apply: (request, peer) => this.changes.apply(request, peer),
			confirm: (request, peer) => this.changes.confirm(request, peer),
			rollback: (request, peer) => this.changes.rollback(request, peer),
		};
	}

	#tell(step: ChangeStep, change: ChangeFacts, reason: string): void {
		const { sink, identity, log } = this.#options;
		const alert = changeAlert(step, change, reason, Date.now(), identity);
		const { Change = "", From = "", Seconds = "", UID = "", PID = "", Session = "" } = alert.EventData;
		const fields = {
			change: Change,
			from: From,
			seconds: Seconds,
			uid: UID,
			pid: PID,
			session: Session,
			reason,
		};
		const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
		if (step === "rolled_back" || step === "refused") log.error(alert.Message, known);
		else if (step === "confirmed") log.info(alert.Message, known);
		else log.warn(alert.Message, known);
		sink.publish([alert]);
	}
}
