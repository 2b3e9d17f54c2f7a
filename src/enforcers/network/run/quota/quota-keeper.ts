/**
 * Keeps the windows of quotas: has the kernel's numbers read and reset when their time has come, raises one alert a
 * window, and writes down what was used, so that a restart forgets nothing.
 */

import type { HostIdentity } from "../../../../report/alert.ts";
import type { AlertSink } from "../../../../report/sinks/alert-sink.ts";
import { writeState } from "../../../../state/state-file.ts";
import type { WorkerClient } from "../../../../threads/rpc.ts";
import type { UsedQuotas } from "../../apply/used-quotas.ts";
import type { PlannedQuota } from "../../compile/plan.ts";
import type { PacketBatch } from "../../observe/event.ts";
import type { QuotaReading } from "../../observe/quotas.ts";
import { quotaAlert, unseenPacket } from "../../report/quota-alert.ts";
import { type QuotaStatus, QuotaWindows } from "../../report/quota-windows.ts";
import type { NftCalls } from "../calls.ts";
import { quotaFile, readKeptQuotas, savedQuotas } from "./kept-quotas.ts";

/** Between two looks at the kernel's numbers, unless a window ends before. */
const lookMs = 10_000;
/** Numbers older than this are read again for an answer, which waits for them no longer than `answerMs`. */
const freshMs = 100;
const answerMs = 30;
/** After the kernel did not answer. */
const retryMs = 1000;
/** Between two writes; a crash of the machine loses what came since. */
const writeMs = 60_000;
/** At the end the last numbers are waited for so long. */
const finishMs = 500;

export interface QuotaKeeperOptions {
	readonly stateDir: string;
	readonly nft: () => Pick<WorkerClient<NftCalls>, "call">;
	readonly sink: Pick<AlertSink, "publish">;
	readonly identity: HostIdentity;
	readonly warn: (message: string) => void;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
}

export class QuotaKeeper {
	readonly #options: QuotaKeeperOptions;
	readonly #windows: QuotaWindows;
	readonly #now: () => number;
	#timer: ReturnType<typeof setTimeout> | null = null;
	#looking: Promise<boolean> | null = null;
	#looked = Number.NEGATIVE_INFINITY;
	#written = Number.NEGATIVE_INFINITY;
	/** As it was written last. */
	#saved = "";
	/** What could not be written is told once. */
	#failed = false;
	#stopped = false;

	constructor(options: QuotaKeeperOptions) {
		this.#options = options;
		this.#now = options.now ?? Date.now;
		const { kept, problem } = readKeptQuotas(options.stateDir);
		if (problem !== null) options.warn(`what quotas used is not known from before: ${problem}`);
		this.#windows = new QuotaWindows(kept);
	}

	get status(): readonly QuotaStatus[] {
		return this.#windows.status;
	}

	/** What the quotas of a plan begin with that the kernel does not have yet, by its own numbers as far as it has some. */
	async used(rules: readonly PlannedQuota[]): Promise<UsedQuotas> {
		const read = await this.#ask([]);
		if (read !== null) this.#windows.take(read, this.#now());
		return this.#windows.used(rules, this.#now());
	}

	/** These are in force. */
	began(rules: readonly PlannedQuota[]): void {
		const had = this.#windows.rules.length > 0;
		this.#windows.began(rules, this.#now());
		if (rules.length > 0) void this.#tick();
		else if (had) this.#write();
	}

	/** Raises the alert of each quota whose first packet beyond the limit was logged. */
	packets({ events }: Pick<PacketBatch, "events">): void {
		if (this.#windows.rules.length === 0) return;
		const { sink, identity } = this.#options;
		for (const event of events) {
			const quota = this.#windows.byId(event.ruleId);
			if (quota === undefined || !this.#windows.tell(quota.key)) continue;
			sink.publish([quotaAlert(event, quota, identity)]);
		}
	}

	/** Brings the numbers up to date, if that takes only a moment. */
	async refresh(): Promise<void> {
		if (this.#windows.rules.length === 0 || performance.now() - this.#looked < freshMs) return;
		await Promise.race([this.#look(), Bun.sleep(answerMs)]);
	}

	/** Writes down the last numbers. */
	async stop(): Promise<void> {
		this.#stopped = true;
		if (this.#timer !== null) clearTimeout(this.#timer);
		if (this.#windows.rules.length === 0) return;
		await Promise.race([this.#look().catch(() => false), Bun.sleep(finishMs)]);
		this.#write();
	}

	#ask(reset: readonly string[]): Promise<QuotaReading | null> {
		const counters = this.#windows.rules.map(({ rule }) => rule.counter);
		return this.#options.nft().call("quotas", { counters, reset });
	}

	/** Looks, and looks again when the next window ends. */
	async #tick(): Promise<void> {
		if (this.#timer !== null) clearTimeout(this.#timer);
		const answered = await this.#look().catch(() => false);
		if (this.#stopped || this.#windows.rules.length === 0) return;
		if (performance.now() - this.#written >= writeMs) this.#write();
		const left = (this.#windows.nextEnd ?? Number.POSITIVE_INFINITY) - this.#now();
		const pause = answered ? Math.min(lookMs, Math.max(left, 1)) : retryMs;
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.#tick(), pause);
		this.#timer.unref();
	}

	#look(): Promise<boolean> {
		this.#looking ??= this.#read().finally(() => {
			this.#looking = null;
		});
		return this.#looking;
	}

	async #read(): Promise<boolean> {
		const over = this.#windows.over(this.#now());
		const reset = over.map(({ object }) => object);
		const read = await this.#ask(reset);
		if (read === null) return false;
		this.#looked = performance.now();
		this.#windows.take(read, this.#now());
		this.#tellUntold(over);
		this.#windows.restarted(over, this.#now());
		if (over.length > 0) this.#write();
		return true;
	}

	/** A record of the log may be lost, or be taken for one of the flow's alert of the window before: the counter tells. */
	#tellUntold(over: readonly PlannedQuota[]): void {
		const { sink, identity } = this.#options;
		const now = this.#now();
		for (const quota of this.#windows.untold()) {
			// Its record may still be on its way, unless the window is over.
			if (!over.includes(quota) && !this.#seenBefore(quota)) continue;
			if (this.#windows.tell(quota.key))
				sink.publish([quotaAlert(unseenPacket(quota.rule.id, now), quota, identity)]);
		}
	}

	readonly #awaited = new Map<string, number>();

	/** Whether a look at least `retryMs` ago saw packets beyond the limit already. */
	#seenBefore({ key }: PlannedQuota): boolean {
		const since = this.#awaited.get(key);
		if (since === undefined) this.#awaited.set(key, performance.now());
		return since !== undefined && performance.now() - since >= retryMs;
	}

	#write(): void {
		const kept = savedQuotas(this.#windows.kept);
		const text = JSON.stringify(kept);
		this.#written = performance.now();
		if (text === this.#saved) return;
		const error = writeState(quotaFile(this.#options.stateDir), kept);
		if (error !== null && !this.#failed) this.#options.warn(`what quotas used could not be kept: ${error}`);
		this.#failed = error !== null;
		if (error === null) this.#saved = text;
	}
}
