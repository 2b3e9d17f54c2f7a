/** Tells of packets that were dropped because they belong to no flow: no rule logs them, and a flood of them is cheap. */

import type { HostIdentity } from "../../../report/alert.ts";
import type { AlertSink } from "../../../report/sinks/alert-sink.ts";
import { invalidAlert } from "../report/invalid-alert.ts";
import type { InvalidPackets } from "../report/network-status.ts";
import type { Accounts } from "./packet-alerts.ts";

const seen = ["ingress", "egress", "forward"] as const;
const nothing: InvalidPackets = { ingress: 0, egress: 0, forward: 0 };

/** Between two alerts, and between two looks that nobody else asked for. */
const intervalMs = 60_000;

export class InvalidWatch {
	readonly #sink: Pick<AlertSink, "publish">;
	readonly #identity: HostIdentity;
	#told: InvalidPackets | null = null;
	#last = Number.NEGATIVE_INFINITY;
	#timer: ReturnType<typeof setInterval> | null = null;

	constructor(sink: Pick<AlertSink, "publish">, identity: HostIdentity) {
		this.#sink = sink;
		this.#identity = identity;
	}

	/** @param look has the counters read, which `take` then gets. */
	start(look: () => Promise<void>): void {
		void look();
		this.#timer = setInterval(() => void look(), intervalMs);
		this.#timer.unref();
	}

	stop(): void {
		if (this.#timer !== null) clearInterval(this.#timer);
	}

	/**
	 * Takes a reading of the counters. What the first one has was counted before this daemon came.
	 * @param now milliseconds on a clock that only goes forwards.
	 */
	take({ invalidPackets }: Pick<Accounts, "invalidPackets">, now = performance.now()): void {
		const { ingress, egress, forward } = invalidPackets;
		const told = this.#told;
		// A table that is made anew counts from zero; one whose plan no longer judges what is forwarded has no such counter.
		const falls = told !== null && seen.some((where) => invalidPackets[where] < told[where]);
		if (told === null || falls) this.#told = told === null ? invalidPackets : nothing;
		const before = this.#told ?? invalidPackets;
		const dropped = {
			ingress: ingress - before.ingress,
			egress: egress - before.egress,
			forward: forward - before.forward,
		};
		if (dropped.ingress + dropped.egress + dropped.forward === 0 || now - this.#last < intervalMs) return;
		this.#told = invalidPackets;
		this.#last = now;
		this.#sink.publish([invalidAlert(dropped, Date.now(), this.#identity)]);
	}
}
