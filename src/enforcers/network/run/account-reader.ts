/** The kernel's counters, as fresh as an answer can have them without waiting long. */

import { rulesBeside } from "../compile/plan.ts";
import type { NetworkEnforcer } from "./network-enforcer.ts";
import { type Accounts, noAccounts, type PacketAlerts } from "./packet-alerts.ts";

/** Counters older than this are read again for an answer. */
const freshMs = 100;
/** An answer waits this long for the kernel's counters, then gives the last ones. */
const countersMs = 30;

export class AccountReader {
	readonly #packetAlerts: Pick<PacketAlerts, "beginReading" | "account">;
	readonly #enforcer: Pick<NetworkEnforcer, "plan" | "counters">;
	readonly #onRead: (accounts: Accounts, plan: NetworkEnforcer["plan"]) => void;
	#latest: Accounts = noAccounts;
	#time = Number.NEGATIVE_INFINITY;
	/** Whose counters the latest are: those of another are nothing to show for what is in force now. */
	#plan: NetworkEnforcer["plan"] = null;
	#reading: Promise<void> | null = null;

	/** @param onRead gets every new reading, and the plan that it is of. */
	constructor(
		packetAlerts: Pick<PacketAlerts, "beginReading" | "account">,
		enforcer: Pick<NetworkEnforcer, "plan" | "counters">,
		onRead: (accounts: Accounts, plan: NetworkEnforcer["plan"]) => void = () => {},
	) {
		this.#packetAlerts = packetAlerts;
		this.#enforcer = enforcer;
		this.#onRead = onRead;
	}

	get latest(): Accounts {
		return this.#latest;
	}

	/** New counters if the kernel gives them in time: while a large ruleset loads, an answer has the last ones. */
	async refresh(): Promise<void> {
		if (performance.now() - this.#time < freshMs && this.#plan === this.#enforcer.plan) return;
		this.#reading ??= this.#read().finally(() => {
			this.#reading = null;
		});
		await Promise.race([this.#reading, Bun.sleep(countersMs)]);
	}

	async #read(): Promise<void> {
		const reading = this.#packetAlerts.beginReading();
		const { plan } = this.#enforcer;
		const counters = await this.#enforcer.counters().catch(() => null);
		if (counters === null) return;
		this.#latest = this.#packetAlerts.account(
			reading,
			plan?.rules ?? [],
			counters,
			plan === null ? [] : rulesBeside(plan),
		);
		this.#plan = plan;
		this.#time = performance.now();
		this.#onRead(this.#latest, plan);
	}
}
