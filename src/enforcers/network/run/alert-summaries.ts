/** Sums up, every few seconds, the packets for whose alerts there was no room. */

import { loggedRules } from "../compile/plan.ts";
import type { AccountReader } from "./account-reader.ts";
import type { NetworkEnforcer } from "./network-enforcer.ts";
import type { PacketAlerts } from "./packet-alerts.ts";

const intervalMs = 5000;

export class AlertSummaries {
	readonly #packetAlerts: Pick<PacketAlerts, "takeNews" | "summarize">;
	readonly #accounts: Pick<AccountReader, "refresh">;
	/** Has the rules in force. */
	readonly #enforcer: Pick<NetworkEnforcer, "plan">;
	#timer: ReturnType<typeof setTimeout> | null = null;
	/** Milliseconds between two looks; null before the start and after the end. */
	#interval: number | null = null;
	/** The last look found something: what was on its way then is in the next. */
	#again = false;

	constructor(
		packetAlerts: Pick<PacketAlerts, "takeNews" | "summarize">,
		accounts: Pick<AccountReader, "refresh">,
		enforcer: Pick<NetworkEnforcer, "plan">,
	) {
		this.#packetAlerts = packetAlerts;
		this.#accounts = accounts;
		this.#enforcer = enforcer;
	}

	/** @param milliseconds between two looks */
	start(milliseconds = intervalMs): void {
		this.#interval = milliseconds;
		this.wake();
	}

	stop(): void {
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#timer = null;
		this.#interval = null;
	}

	/** Packets were logged: looks in a while. Nothing happens while none are. */
	wake(): void {
		if (this.#interval === null || this.#timer !== null) return;
		this.#timer = setTimeout(async () => {
			this.#timer = null;
			await this.look();
			if (this.#again) this.wake();
		}, this.#interval);
		this.#timer.unref();
	}

	/** Sums up what is new. */
	async look(): Promise<void> {
		if (!this.#packetAlerts.takeNews() && !this.#again) return;
		await this.#accounts.refresh();
		const { plan } = this.#enforcer;
		this.#again = this.#packetAlerts.summarize(plan === null ? [] : loggedRules(plan));
	}
}
