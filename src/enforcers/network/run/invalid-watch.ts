/** Tells of packets that were dropped because they belong to no flow: no rule logs them, and a flood of them is cheap. */

import type { Direction } from "../../../base/model.ts";
import type { HostIdentity } from "../../../report/alert.ts";
import type { AlertSink } from "../../../report/sinks/alert-sink.ts";
import { invalidAlert } from "../report/invalid-alert.ts";
import type { Accounts } from "./packet-alerts.ts";

/** Between two alerts, and between two looks that nobody else asked for. */
const intervalMs = 60_000;

export class InvalidWatch {
	readonly #sink: Pick<AlertSink, "publish">;
	readonly #identity: HostIdentity;
	#told: Readonly<Record<Direction, number>> | null = null;
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
		const { ingress, egress } = invalidPackets;
		const told = this.#told;
		// A table that is made anew counts from zero.
		const anew = told === null || ingress < told.ingress || egress < told.egress;
		if (anew) this.#told = told === null ? invalidPackets : { ingress: 0, egress: 0 };
		const { ingress: toldIn, egress: toldOut } = this.#told ?? invalidPackets;
		const dropped = { ingress: ingress - toldIn, egress: egress - toldOut };
		if (dropped.ingress + dropped.egress === 0 || now - this.#last < intervalMs) return;
		this.#told = invalidPackets;
		this.#last = now;
		this.#sink.publish([invalidAlert(dropped, Date.now(), this.#identity)]);
	}
}
