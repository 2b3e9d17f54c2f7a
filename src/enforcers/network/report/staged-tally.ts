/**
 * How staged policies fare: what they were asked about, and what they would have blocked, since they are staged as they
 * are. Counters of the kernel may begin anew, so increments are added up.
 */

import type { StagedCount } from "../../../report/contribution.ts";
import type { StagedPlan, StagedPolicy } from "../compile/plan.ts";
import type { CounterValue } from "../observe/counters.ts";

interface Sum extends StagedCount {
	/** What the policy says: when that changes it begins anew. */
	readonly meaning: string;
}

type Counters = Readonly<Record<string, CounterValue>>;

export class StagedTally {
	readonly #now: () => number;
	#sums = new Map<string, Sum>();
	/** Packets by counter, as they were read last. */
	#read = new Map<string, number>();

	/** @param now milliseconds since the epoch */
	constructor(now: () => number) {
		this.#now = now;
	}

	/** What an earlier daemon left in the kernel is not this one's to tell of. */
	found(counters: Counters): void {
		for (const [name, { packets }] of Object.entries(counters)) this.#read.set(name, packets);
	}

	/** The ruleset of this generation is in force. */
	began(staged: StagedPlan | undefined, generation: number): void {
		const sums = new Map<string, Sum>();
		for (const { name, meaning } of staged?.policies ?? []) {
			const known = this.#sums.get(name);
			const since = new Date(this.#now()).toISOString();
			const anew = { meaning, evaluated: 0, wouldBlock: 0, sinceGeneration: generation, since };
			sums.set(name, known?.meaning === meaning ? known : anew);
		}
		this.#sums = sums;
	}

	/** Adds what is new since the reading before. */
	take(staged: StagedPlan | undefined, counters: Counters): void {
		const read = new Map<string, number>();
		const more = new Map<string, number>();
		const look = (name: string) => {
			const now = counters[name]?.packets ?? 0;
			const before = this.#read.get(name) ?? 0;
			read.set(name, now);
			more.set(name, now < before ? now : now - before);
		};
		for (const { evaluated } of staged?.policies ?? []) for (const name of evaluated) look(name);
		for (const { counter } of staged?.rules ?? []) look(counter);
		this.#read = read;
		const counterOf = new Map((staged?.rules ?? []).map(({ id, counter }) => [id, counter]));
		const total = (names: readonly string[]) => names.reduce((sum, name) => sum + (more.get(name) ?? 0), 0);
		for (const policy of staged?.policies ?? []) {
			const sum = this.#sums.get(policy.name);
			if (sum === undefined) continue;
			this.#sums.set(policy.name, {
				...sum,
				evaluated: sum.evaluated + total(policy.evaluated),
				wouldBlock: sum.wouldBlock + total(blocking(policy, counterOf)),
			});
		}
	}

	/** By the policy's name. */
	get counts(): ReadonlyMap<string, StagedCount> {
		return this.#sums;
	}
}

function blocking({ rules }: StagedPolicy, counterOf: ReadonlyMap<string, string>): string[] {
	return rules.flatMap((id) => counterOf.get(id) ?? []);
}
