/** Has the policies read and compiled for all enforcers, on a thread that ends where that costs less than it saves. */

import { sentTo } from "../enforcers/contract/enforcer.ts";
import { planObjects } from "../enforcers/network/compile/plan.ts";
import {
	type NetworkSent,
	type NetworkWish,
	networkEnforcer,
	withoutObjects,
} from "../enforcers/network/enforcer.ts";
import type { JudgeCalls } from "../enforcers/network/run/calls.ts";
import type { PolicySource } from "../enforcers/network/run/enforcer-options.ts";
import { bootFacts } from "../engine/enforcers.ts";
import type { PolicySettings, Reloaded, Wishes } from "../engine/reading.ts";
import { CarryReceiver } from "../threads/carry.ts";
import type { WorkerLike } from "../threads/rpc.ts";
import { WorkerSlot } from "../threads/worker-slot.ts";
import type { PolicyCalls } from "./policy-calls.ts";

export interface PolicyReaderOptions {
	readonly settings: () => PolicySettings;
	readonly createWorker: () => WorkerLike;
	/** The Worker ended by itself. */
	readonly gone: (reason: string) => void;
	/** The policies were read, before anything is applied. */
	readonly read: (reloaded: Reloaded) => void;
	/** What was read last was asked so much that it left megabytes behind on this thread, too. */
	readonly askedMuch?: () => void;
	/** What was read last is in force. */
	readonly kept?: () => void;
	/** The usual ones where it is left out. */
	readonly idle?: IdleTimes;
}

/** So few characters are parsed anew in the time that it takes to start a thread. */
const lightText = 64 * 1024;
/** So few, some 4 000 rules, in half a second; what was read of more is kept. */
const middleText = 512 * 1024;

/** How long a thread is asked nothing before it rests, in milliseconds. */
export interface IdleTimes {
	/** It ends, or where that would cost more than it saves gives back what it does not need. */
	readonly first: number;
	/** After that it ends where it read no more than a middling text: longer than from one look at new flows to the next. */
	readonly second: number;
}

const usualTimes: IdleTimes = { first: 3000, second: 42_000 };

export class PolicyReader implements PolicySource {
	readonly #options: PolicyReaderOptions;
	/** Answers what enforcers ask about what was read last, too. */
	readonly worker: WorkerSlot<PolicyCalls & JudgeCalls>;
	#latest: Reloaded | null = null;
	#wishes: Wishes | null = null;
	/** The objects of a plan are for the thread of nftables alone: nobody looks at them here. */
	readonly #carry = new CarryReceiver(planObjects);
	/** The plan that was read last has not got to that thread, which therefore cannot make out what the next one changes. */
	#undelivered = true;
	#idle: ReturnType<typeof setTimeout> | null = null;

	constructor(options: PolicyReaderOptions) {
		this.#options = options;
		this.worker = new WorkerSlot("policy", options.createWorker, options.gone);
	}

	/** What the last reading found; null before the first. */
	get latest(): Reloaded | null {
		return this.#latest;
	}

	async read(network: NetworkWish): Promise<NetworkSent> {
		this.#stay();
		const settings = this.#options.settings();
		const wishes = { [networkEnforcer.name]: network };
		this.#wishes = wishes;
		const anew = this.#undelivered;
		this.#undelivered = true;
		const reloaded = this.#carry.unpack(await this.worker.call("reload", { settings, wishes, anew }));
		const sent = sentTo(networkEnforcer, reloaded.sent) ?? nothing;
		const kept = { ...reloaded.sent, [networkEnforcer.name]: withoutObjects(sent) };
		this.#latest = { ...reloaded, sent: kept };
		this.#options.read(this.#latest);
		return sent;
	}

	/** The policies will most likely be read in a moment: meanwhile the thread that reads them starts. */
	wake(): void {
		if (this.worker.started) return;
		try {
			this.worker.start();
		} catch {
			// Who reads the policies tries again, and tells.
			return;
		}
		this.rest();
	}

	delivered(): void {
		this.#undelivered = false;
	}

	async recall(): Promise<void> {
		if (this.#wishes === null) return;
		const argument = { settings: this.#options.settings(), wishes: this.#wishes };
		await this.worker.call("recall", argument);
		this.#restAgain();
	}

	askedMuch(): void {
		this.#options.askedMuch?.();
		this.#restAgain();
	}

	#restAgain(): void {
		// A reading that began meanwhile says itself when it may rest.
		if (this.#idle !== null) this.rest();
	}

	async keep(): Promise<string | null> {
		const problem = await this.worker.call("keep", null);
		if (this.#latest?.withheld === false) this.#options.kept?.();
		return problem;
	}

	bootFacts() {
		return bootFacts(this.#latest?.sent ?? {});
	}

	rest(): void {
		this.#stay();
		const { present } = this.#latest?.parsed ?? { present: 0 };
		const { first, second } = this.#options.idle ?? usualTimes;
		const after = (ms: number, then: () => void) => {
			// Somebody's question is not cut off.
			this.#idle = setTimeout(() => (this.worker.busy === null ? then() : this.rest()), ms);
		};
		const end = () => {
			// Who asks says nothing here as long as there are answers.
			const left = second - this.worker.idleMs;
			if (left > 0) after(left, end);
			else this.worker.recycle();
		};
		after(first, () => {
			if (present <= lightText) return this.worker.recycle();
			// It may have ended, and what asked it since has gone without an answer.
			if (!this.worker.started) return;
			void this.worker.call("rest", null).catch(() => {});
			if (present <= middleText) after(second, end);
		});
	}

	stop(): void {
		this.#stay();
		this.worker.recycle();
	}

	#stay(): void {
		if (this.#idle !== null) clearTimeout(this.#idle);
		this.#idle = null;
	}
}

const nothing: NetworkSent = { plan: null, policies: [], interfaces: [] };
