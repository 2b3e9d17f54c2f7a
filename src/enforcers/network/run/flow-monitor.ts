/** Tells what becomes of open connections, and has those entered again that connection tracking forgot. */

import type { HostIdentity } from "../../../report/alert.ts";
import type { Logger } from "../../../report/log.ts";
import type { AlertSink } from "../../../report/sinks/alert-sink.ts";
import type { ConnectionsReport } from "../flows/connection-keeper.ts";
import { midstreamId } from "../names.ts";
import type { PacketBatch } from "../observe/event.ts";
import { type FlowCounts, strayAlert } from "../report/flow-alert.ts";

export interface FlowMonitorOptions {
	/** Its name, of a checked config. */
	readonly table: string;
	/** Enters into connection tracking what the policies let pass. */
	readonly readmit: () => Promise<void>;
	readonly sink: Pick<AlertSink, "publish">;
	readonly identity: HostIdentity;
	readonly log: Logger;
}

/** Between two looks at all connections, and how many times as long as the last one took. */
const leastPauseMs = 500;
const pauseFactor = 5;

export class FlowMonitor {
	readonly #options: FlowMonitorOptions;
	#counts: FlowCounts = { blocked: 0, loss: 0, start: 0, refused: 0, overflow: 0 };
	/** Packets wait for a look at the connections. */
	#asked = false;
	#looking = false;

	constructor(options: FlowMonitorOptions) {
		this.#options = options;
	}

	get counts(): FlowCounts {
		return this.#counts;
	}

	/** What the operator should know about them. */
	get warnings(): string[] {
		const { overflow } = this.#counts;
		return overflow === 0
			? []
			: [
					`${overflow} connections that a Block ended cannot be refused for good, as there are too many: their next packets could open them anew`,
				];
	}

	/** Takes what a look at the open connections led to. */
	ended({ blocked, strayed, strictness, since, refused, overflow }: ConnectionsReport): void {
		const { identity, log, sink, table } = this.#options;
		const { loss, start } = this.#counts;
		if (blocked > 0)
			log.info("open connections that the policies block were ended", { connections: blocked });
		if (overflow > 0 && this.#counts.overflow === 0)
			log.warn("there are too many ended connections to refuse all of their packets", { left: overflow });
		this.#counts = {
			blocked: this.#counts.blocked + blocked,
			loss: loss + (strictness === "loss" ? strayed : 0),
			start: start + (strictness === "start" ? strayed : 0),
			refused,
			overflow,
		};
		if (strayed === 0 || strictness === null) return;
		log.warn("open connections that the policies refuse were ended", {
			connections: strayed,
			why: strictness,
		});
		sink.publish([strayAlert(strictness, strayed, { since, time: Date.now(), table }, identity)]);
	}

	/** Looks for packets in the midst of connections that nobody tracks. */
	take(batch: PacketBatch): void {
		if (batch.tallies[midstreamId] === undefined) return;
		this.#asked = true;
		if (!this.#looking) void this.#look();
	}

	/** At once, then with pauses: a remote host must not keep the daemon busy. */
	async #look(): Promise<void> {
		this.#looking = true;
		while (this.#asked) {
			this.#asked = false;
			const started = performance.now();
			await this.#options.readmit();
			await pause(Math.max(leastPauseMs, pauseFactor * (performance.now() - started)));
		}
		this.#looking = false;
	}
}

/** Does not keep the process. */
function pause(milliseconds: number): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	setTimeout(resolve, milliseconds).unref();
	return promise;
}
