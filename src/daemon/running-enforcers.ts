/** The enforcers that run, as one: what the daemon does with one of them it does with all. */

import type { SentParts } from "../enforcers/contract/enforcer.ts";
import type { BusyWorker, RunningEnforcer } from "../enforcers/contract/running.ts";
import type { EnforcerReport } from "../report/contribution.ts";

export class RunningEnforcers {
	readonly #all: readonly RunningEnforcer[];
	#sent: SentParts = {};
	#applied: Promise<unknown> = Promise.resolve();

	constructor(all: readonly RunningEnforcer[]) {
		this.#all = all;
	}

	/** One after the other. */
	async start(): Promise<void> {
		for (const one of this.#all) await one.start();
	}

	/** Gives each what is for it; none waits for another. */
	apply(sent: SentParts): void {
		this.#sent = sent;
		this.#applied = Promise.all(
			this.#all.map((one) => (Object.hasOwn(sent, one.name) ? one.apply(sent[one.name]) : undefined)),
		);
	}

	/** Resolves when what was given last is in force, or cannot be for now. */
	async applied(): Promise<void> {
		await this.#applied;
	}

	begin(): void {
		for (const one of this.#all) one.begin();
	}

	async refresh(): Promise<void> {
		await Promise.all(this.#all.map((one) => one.refresh()));
	}

	reports(): EnforcerReport[] {
		return this.#all.map((one) => one.report(this.#sent[one.name] ?? null));
	}

	get warnings(): readonly string[] {
		return this.#all.flatMap(({ warnings }) => warnings);
	}

	/** See RunningEnforcer.isUrgent. */
	get urgent(): boolean {
		return this.#all.some((one) => Object.hasOwn(this.#sent, one.name) && one.isUrgent(this.#sent[one.name]));
	}

	get workers(): Readonly<Record<string, BusyWorker>> {
		return Object.assign({}, ...this.#all.map(({ workers }) => workers));
	}

	/** Each leaves everything in the kernel as it is. */
	async stop(): Promise<void> {
		await Promise.all(this.#all.map((one) => one.stop()));
	}
}
