/**
 * What became of every packet that an alerting rule counted. The kernel counts
 * what a rule decided and what it handed to NFLOG; the reader counts what arrived
 * and what it folded together; and of what was lost the kernel tells only the sum
 * over all rules. From these follow, for each rule, outcomes that add up.
 */

import type { RuleTally } from "../observe/event.ts";

/** Of one rule, packets. They add up to the rule's packets once what is on its way has arrived. */
export interface LogOutcomes {
	/** Each has an alert of its own. */
	readonly alerted: number;
	/** Folded into an earlier alert of the same flow. */
	readonly aggregated: number;
	/** Not handed over, because of the kernel's rate limit. */
	readonly suppressed: number;
	/** Handed over and never received. */
	readonly lost: number;
	/** Counted before this daemon started: what became of them is not known. */
	readonly earlier: number;
}

export interface LoggedRule {
	/** CompiledRule.id. */
	readonly id: string;
	/** The rule's counter. */
	readonly packets: number;
	/** Packets handed to NFLOG: the rule's logCounter. */
	readonly logged: number;
}

interface Entry {
	earlierPackets: number;
	earlierLogged: number;
	packets: number;
	logged: number;
	/** Sums of former Workers, whose tallies ended with them. */
	formerReceived: number;
	formerAggregated: number;
	received: number;
	aggregated: number;
	lost: number;
}

export class LogAccounting {
	readonly #rules = new Map<string, Entry>();
	#formerLost = 0;
	#lost = 0;

	/** Takes over a rule that was in the kernel, with these counts, before this daemon started. */
	adopt(rule: LoggedRule): void {
		const entry = this.#entry(rule.id);
		entry.earlierPackets = rule.packets;
		entry.earlierLogged = rule.logged;
		entry.packets = rule.packets;
		entry.logged = rule.logged;
	}

	/**
	 * Updates from one reading. `tallies` and `lost` (cumulative since the Worker
	 * started) must have been taken BEFORE the kernel's counters were read. Rules that
	 * are not in `rules` are forgotten. `quiet`: nothing was logged or received for so
	 * long (a second) that nothing can be on its way.
	 */
	update(
		rules: readonly LoggedRule[],
		tallies: Readonly<Record<string, RuleTally>>,
		lost: number,
		quiet: boolean,
	): void {
		if (lost < this.#lost) this.#formerLost += this.#lost;
		this.#lost = lost;
		const kept = new Set(rules.map((rule) => rule.id));
		for (const id of this.#rules.keys()) if (!kept.has(id)) this.#rules.delete(id);
		let pending = 0;
		for (const rule of rules) {
			const entry = this.#entry(rule.id);
			readTally(entry, Object.hasOwn(tallies, rule.id) ? tallies[rule.id] : undefined);
			if (rule.packets < entry.packets || rule.logged < entry.logged) restart(entry);
			entry.packets = rule.packets;
			entry.logged = rule.logged;
			pending += pendingOf(entry);
		}
		// A rule's pending packets are lost or on their way. All that are on their way may be this
		// rule's, so what exceeds them is surely lost, and no later reading can take it back.
		const onTheirWay = quiet ? 0 : Math.max(0, pending - (this.#formerLost + this.#lost));
		for (const entry of this.#rules.values()) {
			entry.lost = Math.max(entry.lost, pendingOf(entry) - onTheirWay);
		}
	}

	/** Null for a rule that never was in an update. */
	outcomes(id: string): LogOutcomes | null {
		const entry = this.#rules.get(id);
		if (entry === undefined) return null;
		const aggregated = entry.formerAggregated + entry.aggregated;
		return {
			alerted: entry.formerReceived + entry.received - aggregated,
			aggregated,
			suppressed: Math.max(0, entry.packets - entry.earlierPackets - (entry.logged - entry.earlierLogged)),
			lost: entry.lost,
			earlier: entry.earlierPackets,
		};
	}

	/** Sequence gaps over all rules since this daemon started. */
	get lost(): number {
		return this.#formerLost + this.#lost;
	}

	#entry(id: string): Entry {
		const known = this.#rules.get(id);
		if (known !== undefined) return known;
		const entry: Entry = {
			earlierPackets: 0,
			earlierLogged: 0,
			packets: 0,
			logged: 0,
			formerReceived: 0,
			formerAggregated: 0,
			received: 0,
			aggregated: 0,
			lost: 0,
		};
		this.#rules.set(id, entry);
		return entry;
	}
}

function readTally(entry: Entry, tally: RuleTally | undefined): void {
	const received = tally?.received ?? 0;
	// Tallies only grow within one Worker's life, so a smaller one comes from its successor.
	if (received < entry.received) {
		entry.formerReceived += entry.received;
		entry.formerAggregated += entry.aggregated;
	}
	entry.received = received;
	entry.aggregated = tally?.aggregated ?? 0;
}

/** The kernel's counters began anew (the table was flushed and restored), so the outcomes do too. */
function restart(entry: Entry): void {
	entry.earlierPackets = 0;
	entry.earlierLogged = 0;
	entry.formerReceived = -entry.received;
	entry.formerAggregated = -entry.aggregated;
	entry.lost = 0;
}

function pendingOf(entry: Entry): number {
	return Math.max(0, entry.logged - entry.earlierLogged - entry.formerReceived - entry.received);
}
