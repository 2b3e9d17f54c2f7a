/**
 * What rules counted since the daemon started, by policy and by action, for hosts with more rules than metrics can have
 * series. A sum over the rules of the moment would fall when a rule leaves, which Prometheus takes for a counter that
 * began anew, and all that is left of it for new packets. So increments are added up, and nothing is ever taken away.
 */

import type { Direction } from "../../../base/model.ts";
import type { CompiledRule } from "../compile/plan.ts";
import type { CounterValue } from "../observe/counters.ts";
import type { LogOutcomes } from "./log-accounting.ts";

/** Without `earlier`: what was counted before this daemon is not in the sums. */
export type OutcomeTotals = Omit<LogOutcomes, "earlier">;

/** One series. */
export interface RuleTotal {
	/** Null where rules of every policy are summed up. */
	readonly policy: string | null;
	readonly direction: Direction;
	readonly action: CompiledRule["action"];
	readonly packets: number;
	readonly bytes: number;
	/** Those among them that were forwarded; null where none of the rules meets such packets. */
	readonly forwarded: CounterValue | null;
	/** Null where none of the rules raises alerts. */
	readonly outcomes: OutcomeTotals | null;
}

/** A rule of a policy at a reading of the kernel's counters. */
export interface RuleReading {
	readonly rule: Pick<CompiledRule, "id" | "policy" | "direction" | "action">;
	readonly count: CounterValue;
	/** Those among them that were forwarded: see RuleCount. */
	readonly forwarded?: CounterValue;
	readonly outcomes: LogOutcomes | null;
}

type Changing<T> = { -readonly [Key in keyof T]: T[Key] };
/** `round` is the reading that it had a rule in. */
type Sum = Changing<Omit<RuleTotal, "outcomes" | "forwarded">> & {
	forwarded: Changing<CounterValue> | null;
	outcomes: Changing<OutcomeTotals> | null;
	round: number;
};

/** Up to where a rule is in the sums that it belongs to. */
type Seen = Changing<CounterValue & OutcomeTotals> & {
	forwarded: CounterValue;
	readonly own: Sum;
	readonly all: Sum;
	round: number;
};

const nothing: CounterValue = { packets: 0, bytes: 0 };

const outcomeNames = ["alerted", "aggregated", "suppressed", "lost"] as const;

export class RuleTotals {
	/** By the rule's id. */
	readonly #seen = new Map<string, Seen>();
	readonly #policies = new Map<string, Sum>();
	readonly #actions = new Map<string, Sum>();
	#round = 0;

	/** A rule that was in the kernel before this daemon had counted that much already. Call it before the first `take`. */
	adopt(rule: RuleReading["rule"], found: CounterValue, forwarded: CounterValue = nothing): void {
		Object.assign(this.#of(rule), { packets: found.packets, bytes: found.bytes, forwarded });
	}

	/** Adds what is new since the reading before. A policy without a rule in force loses its series. */
	take(readings: readonly RuleReading[]): void {
		this.#round += 1;
		for (const { rule, count, outcomes, forwarded } of readings) {
			const seen = this.#seen.get(rule.id) ?? this.#of(rule);
			seen.round = this.#round;
			seen.own.round = this.#round;
			// The rule's counters began anew, as its table was flushed and restored.
			if (count.packets < seen.packets || count.bytes < seen.bytes) restart(seen);
			advance(seen, count, outcomes);
			if (forwarded !== undefined) advanceForwarded(seen, forwarded);
		}
		this.#forget(this.#seen);
		this.#forget(this.#policies);
	}

	/** A series for each policy, direction and action. */
	get policies(): readonly RuleTotal[] {
		return [...this.#policies.values()];
	}

	/** A series for each direction and action. */
	get actions(): readonly RuleTotal[] {
		return [...this.#actions.values()];
	}

	#of({ id, policy, direction, action }: RuleReading["rule"]): Seen {
		const key = `${direction} ${action}`;
		const sumIn = (sums: Map<string, Sum>, name: string, of: string | null) => {
			const anew = { policy: of, direction, action, packets: 0, bytes: 0, forwarded: null, outcomes: null };
			const sum: Sum = sums.get(name) ?? { ...anew, round: this.#round };
			sums.set(name, sum);
			return sum;
		};
		const own = sumIn(this.#policies, `${key} ${policy}`, policy);
		const all = sumIn(this.#actions, key, null);
		const counted = { packets: 0, bytes: 0, forwarded: nothing, ...noOutcomes() };
		const seen = { ...counted, own, all, round: this.#round };
		this.#seen.set(id, seen);
		return seen;
	}

	/** What had no rule in this reading. */
	#forget(entries: Map<string, { readonly round: number }>): void {
		for (const [key, { round }] of entries) if (round !== this.#round) entries.delete(key);
	}
}

function noOutcomes(): Changing<OutcomeTotals> {
	return { alerted: 0, aggregated: 0, suppressed: 0, lost: 0 };
}

function restart(seen: Seen): void {
	Object.assign(seen, { packets: 0, bytes: 0, forwarded: nothing, ...noOutcomes() });
}

/** What is known of forwarded packets never falls while the rule's counters go on, but for what an adopted rule had counted. */
function advanceForwarded(seen: Seen, { packets, bytes }: CounterValue): void {
	for (const sum of [seen.own, seen.all]) {
		sum.forwarded ??= { packets: 0, bytes: 0 };
		sum.forwarded.packets += Math.max(0, packets - seen.forwarded.packets);
		sum.forwarded.bytes += Math.max(0, bytes - seen.forwarded.bytes);
	}
	const before = seen.forwarded;
	seen.forwarded = { packets: Math.max(packets, before.packets), bytes: Math.max(bytes, before.bytes) };
}

function advance(seen: Seen, count: CounterValue, outcomes: LogOutcomes | null): void {
	const { own, all } = seen;
	own.packets += count.packets - seen.packets;
	all.packets += count.packets - seen.packets;
	own.bytes += count.bytes - seen.bytes;
	all.bytes += count.bytes - seen.bytes;
	seen.packets = count.packets;
	seen.bytes = count.bytes;
	if (outcomes === null) return;
	own.outcomes ??= noOutcomes();
	all.outcomes ??= noOutcomes();
	for (const name of outcomeNames) {
		// An outcome that is judged anew may fall a little, and must not count twice when it rises again.
		const more = Math.max(0, outcomes[name] - seen[name]);
		own.outcomes[name] += more;
		all.outcomes[name] += more;
		seen[name] += more;
	}
}
