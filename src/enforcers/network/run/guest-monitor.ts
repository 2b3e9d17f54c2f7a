/** What this host shows of its guests, for who asks for the status: read now and then, and judged when it changed. */

import type { Config } from "../../../config/model.ts";
import type { WorkerClient } from "../../../threads/rpc.ts";
import type { PublishedVerdict } from "../compile/verdict/published-verdict.ts";
import type { PublishedPort } from "../observe/guests/guests.ts";
import type { GuestsSeen } from "../report/guests-status.ts";
import type { JudgeCalls, NftCalls } from "./calls.ts";
import type { PolicySource } from "./enforcer-options.ts";

/** Milliseconds for which a reading is good. */
const freshMs = 10_000;
/** An answer waits this long for a new reading, then gives the last one; the first is waited for longer. */
const waitMs = 30;
const firstWaitMs = 1000;

export interface GuestMonitorOptions {
	readonly config: () => Pick<Config, "table" | "guests">;
	/** Counts what was put in force; 0: nothing yet, and then nothing is asked. */
	readonly generation: () => number;
	readonly nft: Pick<WorkerClient<NftCalls>, "call">;
	readonly judge: Pick<WorkerClient<JudgeCalls>, "call">;
	readonly policies: Pick<PolicySource, "recall">;
}

const unknown: PublishedVerdict = { reachable: null, closedBy: [] };

export class GuestMonitor {
	readonly #options: GuestMonitorOptions;
	#seen: GuestsSeen | null = null;
	#time = Number.NEGATIVE_INFINITY;
	#generation = 0;
	/** What the verdicts are about. */
	#judged = "";
	#verdicts: readonly PublishedVerdict[] = [];
	#reading: Promise<void> | null = null;

	constructor(options: GuestMonitorOptions) {
		this.#options = options;
	}

	/** Null before the first reading, and where the kernel does not tell. */
	get seen(): GuestsSeen | null {
		return this.#seen;
	}

	/** @param now milliseconds on a clock that only goes forwards. */
	async refresh(now = performance.now()): Promise<void> {
		const generation = this.#options.generation();
		if (generation === 0) return;
		if (now - this.#time >= freshMs || generation !== this.#generation) {
			this.#reading ??= this.#read().finally(() => {
				this.#time = now;
				this.#generation = generation;
				this.#reading = null;
			});
		}
		if (this.#reading === null) return;
		await Promise.race([this.#reading, Bun.sleep(this.#seen === null ? firstWaitMs : waitMs)]);
	}

	async #read(): Promise<void> {
		const { config, nft } = this.#options;
		const { table, guests } = config();
		const { interfaces, uplinks } = guests;
		const read = await nft.call("guests", { table, interfaces, uplinks }).catch(() => null);
		// What was seen before stands in where nobody tells now.
		if (read === null || !read.ok) return;
		const { published, outside, ...facts } = read.facts;
		await this.#judge(published, outside).catch(() => {
			this.#judged = "";
			this.#verdicts = [];
		});
		const judged = published.map((port, i) => ({ ...port, ...(this.#verdicts[i] ?? unknown) }));
		this.#seen = { ...facts, published: judged };
	}

	async #judge(ports: readonly PublishedPort[], interfaces: readonly string[]): Promise<void> {
		const { generation, judge, policies } = this.#options;
		const about = JSON.stringify([generation(), interfaces, ports]);
		if (about === this.#judged) return;
		if (ports.length === 0) this.#verdicts = [];
		else {
			const ask = () => judge.call("judgePublished", { ports, interfaces });
			let verdicts = await ask();
			if (verdicts === null) {
				await policies.recall();
				verdicts = await ask();
			}
			this.#verdicts = verdicts ?? [];
		}
		this.#judged = about;
	}
}
