/**
 * What became of every packet that an alerting rule counted. The kernel counts
 * what a rule decided and what it handed to NFLOG; the reader counts what arrived
 * and what it did with it; and of what was lost the kernel tells only the sum
 * over all rules. From these follow, for each rule, outcomes that add up.
 */

import type { PacketBatch, RuleTally } from "../observe/event.ts";

/** Of one rule, packets. They add up to the rule's packets once what is on its way has arrived. */
export interface LogOutcomes {
	/** Each has an alert of its own. */
	readonly alerted: number;
	/** Folded into an earlier alert of the same flow. */
	readonly aggregated: number;
	/** Held back by the rate limits, the kernel's or the reader's. */
	readonly suppressed: number;
	/** Handed to NFLOG and never received. */
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

/** What had been received when the kernel was asked for its counters. */
export interface Reading {
	readonly tallies: ReadonlyMap<string, RuleTally>;
	readonly lost: number;
}

interface Entry {
	/** False while no ruleset has the rule: it may come back, with counters that begin anew. */
	present: boolean;
	/** The kernel's counters where this account begins. */
	earlier: { packets: number; logged: number };
	kernel: { packets: number; logged: number };
	/** The tally where this account begins. */
	base: RuleTally;
	tally: RuleTally;
	lost: number;
}

/** Rules that are in no ruleset but are remembered, in case they come back. */
const maxAbsent = 10_000;

const nothing: RuleTally = { received: 0, aggregated: 0, overflow: 0 };

function add(a: RuleTally, b: RuleTally): RuleTally {
	return {
		received: a.received + b.received,
		aggregated: a.aggregated + b.aggregated,
		overflow: a.overflow + b.overflow,
	};
}

export class LogAccounting {
	readonly #entries = new Map<string, Entry>();
	/** By rule, of this Worker. */
	readonly #tallies = new Map<string, RuleTally>();
	/** By rule, of the Workers before it. */
	readonly #former = new Map<string, RuleTally>();
	#lost = 0;
	#formerLost = 0;

	/**
	 * Takes over a rule that was in the kernel, with these counts, before this daemon
	 * started; what `reading`, begun when they were read, has received of it is not
	 * earlier. Never call it for a rule whose counters this daemon created: nothing of
	 * theirs is earlier.
	 */
	adopt(rule: LoggedRule, reading: Reading = this.beginReading()): void {
		const { received } = reading.tallies.get(rule.id) ?? nothing;
		this.#entries.set(rule.id, {
			...newEntry(),
			earlier: { packets: Math.max(0, rule.packets - received), logged: Math.max(0, rule.logged - received) },
			kernel: { packets: rule.packets, logged: rule.logged },
		});
	}

	/** Takes in a batch of the NFLOG Worker. */
	receive(batch: Pick<PacketBatch, "tallies" | "lost">): void {
		for (const [id, tally] of Object.entries(batch.tallies)) this.#tallies.set(id, tally);
		this.#lost = batch.lost;
	}

	/** A new NFLOG Worker counts from 0. */
	workerRestarted(): void {
		for (const [id, tally] of this.#tallies)
			this.#former.set(id, add(this.#former.get(id) ?? nothing, tally));
		this.#tallies.clear();
		this.#formerLost += this.#lost;
		this.#lost = 0;
	}

	/**
	 * Call BEFORE the kernel is asked for its counters: then whatever the reading holds
	 * was counted by the kernel, and what is missing is lost, on its way, or newer.
	 */
	beginReading(): Reading {
		const tallies = new Map(this.#former);
		for (const [id, tally] of this.#tallies) tallies.set(id, add(tallies.get(id) ?? nothing, tally));
		return { tallies, lost: this.lost };
	}

	/**
	 * Brings the accounts up to the kernel's counters of every alerting rule in force.
	 * `quiet`: nothing was logged or received for so long (a second) that nothing can
	 * be on its way.
	 */
	finishReading(reading: Reading, rules: readonly LoggedRule[], quiet: boolean): void {
		const current = new Map(rules.map((rule) => [rule.id, rule]));
		for (const rule of rules) if (!this.#entries.has(rule.id)) this.#entries.set(rule.id, newEntry());
		for (const [id, entry] of this.#entries)
			readRule(entry, current.get(id), reading.tallies.get(id) ?? nothing);
		const present = [...this.#entries.values()].filter((entry) => entry.present);
		const pending = present.reduce((sum, entry) => sum + pendingOf(entry), 0);
		// A rule's pending packets are lost or on their way. All that are on their way may be this
		// rule's, so what exceeds them is surely lost, and no later reading can take it back.
		const onTheirWay = quiet ? 0 : Math.max(0, pending - reading.lost);
		for (const entry of present) entry.lost = Math.max(entry.lost, pendingOf(entry) - onTheirWay);
		this.#forgetAbsent();
	}

	/** Null for a rule that is in no ruleset. */
	outcomes(id: string): LogOutcomes | null {
		const entry = this.#entries.get(id);
		if (entry === undefined || !entry.present) return null;
		const received = entry.tally.received - entry.base.received;
		const aggregated = entry.tally.aggregated - entry.base.aggregated;
		const overflow = entry.tally.overflow - entry.base.overflow;
		const counted = entry.kernel.packets - entry.earlier.packets;
		const logged = loggedOf(entry);
		return {
			alerted: received - aggregated - overflow,
			aggregated,
			suppressed: Math.max(0, counted - logged) + overflow,
			lost: entry.lost,
			earlier: entry.earlier.packets,
		};
	}

	/** Sequence gaps over all rules since this daemon started. */
	get lost(): number {
		return this.#formerLost + this.#lost;
	}

	#forgetAbsent(): void {
		const absent = [...this.#entries].filter(([, entry]) => !entry.present);
		for (const [id] of absent.slice(0, Math.max(0, absent.length - maxAbsent))) {
			this.#entries.delete(id);
			this.#tallies.delete(id);
			this.#former.delete(id);
		}
	}
}

function newEntry(): Entry {
	return {
		present: true,
		earlier: { packets: 0, logged: 0 },
		kernel: { packets: 0, logged: 0 },
		base: nothing,
		tally: nothing,
		lost: 0,
	};
}

function readRule(entry: Entry, rule: LoggedRule | undefined, tally: RuleTally): void {
	const restarted =
		rule === undefined || rule.packets < entry.kernel.packets || rule.logged < entry.kernel.logged;
	if (restarted) {
		// The rule left, or its table was flushed and restored: its counters begin anew, so the account does.
		entry.earlier = { packets: 0, logged: 0 };
		entry.base = rule === undefined ? tally : entry.tally;
		entry.lost = 0;
	}
	entry.present = rule !== undefined;
	entry.kernel = { packets: rule?.packets ?? 0, logged: rule?.logged ?? 0 };
	entry.tally = tally;
	if (entry.present) takeIn(entry, tally.received - entry.base.received - loggedOf(entry));
}

/**
 * More was received than logged since the account began: these records were on their way then. They are not
 * earlier if that is where they were put; of a counter that is no more, their packets count for nothing.
 */
function takeIn(entry: Entry, excess: number): void {
	if (excess <= 0) return;
	const { packets, logged } = entry.earlier;
	const notEarlier = Math.min(excess, logged);
	entry.earlier = { packets: packets - notEarlier, logged: logged - notEarlier };
	entry.base = { ...entry.base, received: entry.base.received + excess - notEarlier };
}

function loggedOf(entry: Entry): number {
	return entry.kernel.logged - entry.earlier.logged;
}

function pendingOf(entry: Entry): number {
	const received = entry.tally.received - entry.base.received;
	return Math.max(0, loggedOf(entry) - received);
}
