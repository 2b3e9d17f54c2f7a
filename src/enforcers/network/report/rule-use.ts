/** When each rule last decided a packet, as far as the kernel's counters tell: between two readings it is the later one. */

import type { RuleUse } from "../../../report/contribution.ts";
import type { CompiledRule } from "../compile/plan.ts";
import type { CounterValue } from "../observe/counters.ts";

/** What is known of a rule, and outlives the daemon. Times are milliseconds since the epoch. */
export interface KeptUse {
	readonly id: string;
	/** When counting began. */
	readonly since: number;
	/** Null where it has matched nothing since. */
	readonly last: number | null;
	/** Its counter when it was read last. */
	readonly packets: number;
}

/** Rules that are not in force any more are remembered, as they may come back: so many. */
const retiredRules = 20_000;

type Counters = Readonly<Record<string, CounterValue>>;
type Used = Pick<CompiledRule, "id" | "policy" | "index" | "direction" | "action" | "counter">;

export class RuleUses {
	/** By the rule's id; those in force are the last. */
	readonly #known: Map<string, KeptUse>;
	/** As they were given last, and without the posture's. */
	#source: readonly Used[] = [];
	#inForce: readonly Used[] = [];
	#latest: readonly RuleUse[] | null = null;
	/** What the kernel had counted before this daemon's first ruleset, for rules that nobody knows. */
	#found: Counters = {};

	constructor(kept: readonly KeptUse[] = []) {
		this.#known = new Map(kept.map((use) => [use.id, use]));
	}

	/** Call it before the first `take`. */
	found(counters: Counters): void {
		this.#found = counters;
	}

	/** Of the rules in force when the counters were read last, in their order; the posture is none. */
	get latest(): readonly RuleUse[] {
		this.#latest ??= this.#inForce.flatMap(({ id, policy, direction, index, action }) => {
			const known = this.#known.get(id);
			if (known === undefined) return [];
			const { packets, since, last: lastMatch } = known;
			return [{ policy, direction, index, action, packets, since, lastMatch }];
		});
		return this.#latest;
	}

	/** Those in force first, the newest of the others then. */
	get kept(): readonly KeptUse[] {
		return [...this.#known.values()].reverse();
	}

	/** Takes a reading. @param now milliseconds since the epoch, on a clock that may have jumped. @returns whether there is news */
	take(rules: readonly Used[], counters: Counters, now: number): boolean {
		let news = false;
		for (const { id, index, counter } of rules) {
			if (index < 0) continue;
			const packets = counters[counter]?.packets ?? 0;
			const before = this.#known.get(id);
			const use = advanced(before ?? this.#begun(id, counter, now), packets, now);
			if (use === before) continue;
			this.#known.set(id, use);
			news = true;
		}
		if (rules !== this.#source) this.#change(rules);
		else if (!news) return false;
		this.#latest = null;
		return news;
	}

	/** Other rules are in force. */
	#change(rules: readonly Used[]): void {
		this.#source = rules;
		this.#inForce = rules.filter(({ index }) => index >= 0);
		if (rules.length > 0) this.#found = {};
		for (const { id } of this.#inForce) {
			const use = this.#known.get(id);
			if (use === undefined) continue;
			this.#known.delete(id);
			this.#known.set(id, use);
		}
		for (const id of this.#known.keys()) {
			if (this.#known.size <= retiredRules + this.#inForce.length) break;
			this.#known.delete(id);
		}
	}

	#begun(id: string, counter: string, now: number): KeptUse {
		return { id, since: now, last: null, packets: this.#found[counter]?.packets ?? 0 };
	}
}

/** The same object where nothing is new. A clock that was ahead, and is right again, leaves no times that have not come. */
function advanced(before: KeptUse, packets: number, now: number): KeptUse {
	const { id, since, last } = before;
	if (packets === before.packets && since <= now && (last ?? 0) <= now) return before;
	// A counter that fell began anew, and has counted since.
	const matches = packets < before.packets ? packets > 0 : packets > before.packets;
	const known = last === null ? null : Math.min(last, now);
	return { id, since: Math.min(since, now), last: matches ? now : known, packets };
}

/** The rules that share a key as one: its latest match, and since when the first of them was counted. */
export function latestMatches(uses: readonly RuleUse[], key: (use: RuleUse) => string): readonly RuleUse[] {
	const found = new Map<string, RuleUse>();
	for (const use of uses) {
		const name = key(use);
		const known = found.get(name) ?? use;
		const last = Math.max(known.lastMatch ?? -1, use.lastMatch ?? -1);
		const lastMatch = last < 0 ? null : last;
		found.set(name, { ...known, since: Math.min(known.since, use.since), lastMatch });
	}
	return [...found.values()];
}
