/** What is done about changes of our table that are not ours: counted, logged, alerted, and undone. */

import type { HostIdentity } from "../../../report/alert.ts";
import type { Logger } from "../../../report/log.ts";
import type { AlertSink } from "../../../report/sinks/alert-sink.ts";
import type { DriftEvent } from "../observe/event.ts";
import { driftAlert } from "../report/drift-alert.ts";
import { countersAnewAlert } from "../report/flow-alert.ts";
import type { NetworkEnforcer } from "./network-enforcer.ts";

export interface DriftMonitorOptions {
	/** Its name, of a checked config. */
	readonly table: string;
	readonly enforcer: Pick<NetworkEnforcer, "plan" | "repair" | "letAllPass">;
	/** Whether the table is to stay open, after panic-open, whoever changed it. */
	readonly staysOpen: (event: DriftEvent) => boolean;
	readonly sink: Pick<AlertSink, "publish">;
	readonly identity: HostIdentity;
	readonly log: Logger;
}

export class DriftMonitor {
	readonly #options: DriftMonitorOptions;
	#count = 0;

	constructor(options: DriftMonitorOptions) {
		this.#options = options;
	}

	/** Changes since the daemon started. */
	get count(): number {
		return this.#count;
	}

	/** Notifications were lost: the table may be as it should, so nothing is counted, but only loading it anew is sure. */
	lost(event: DriftEvent): void {
		const { enforcer, log } = this.#options;
		if (enforcer.plan === null) return;
		log.warn("notifications of the kernel were lost; the table is loaded anew to be sure");
		void enforcer.repair(event);
	}

	changed(event: DriftEvent): void {
		const { enforcer, identity, log, staysOpen, sink, table } = this.#options;
		// Only a whole load closes it, which undoes the rest then.
		if (staysOpen(event)) return void enforcer.letAllPass();
		if (enforcer.plan === null) return;
		this.#count += 1;
		log.error("somebody else changed the firewall's table; restoring it", {
			table,
			process: event.process,
			pid: event.pid,
			changes: event.changes.join(","),
		});
		sink.publish([driftAlert(event, table, identity)]);
		void enforcer.repair(event);
	}

	/**
	 * @param error why the table is not restored, or ""
	 * @param anew the table had been deleted, so that its counters began at zero.
	 */
	repaired(error: string, anew = false): void {
		const { identity, log, sink, table } = this.#options;
		if (anew) {
			log.warn("the table had been deleted: the counters of its rules begin anew", { table });
			sink.publish([countersAnewAlert(Date.now(), table, identity)]);
		}
		if (error === "") log.info("the table is restored");
		else log.error("the table could not be restored", { error });
	}
}
