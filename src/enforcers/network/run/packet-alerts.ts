/** Turns what the NFLOG Worker read into alerts, and accounts for every packet that a rule logged. */

import type { HostIdentity } from "../../../report/alert.ts";
import type { AlertSink } from "../../../report/sinks/alert-sink.ts";
import type { CompiledRule } from "../compile/plan.ts";
import { invalidCounter } from "../names.ts";
import type { CounterValue } from "../observe/counters.ts";
import type { PacketBatch, PacketEvent } from "../observe/event.ts";
import { HookCounts, type HookReading } from "../report/hook-counts.ts";
import { LogAccounting, type LoggedRule, type Reading } from "../report/log-accounting.ts";
import type { RuleFacts } from "../report/metrics/rule-metrics.ts";
import { networkAlert } from "../report/network-alert.ts";
import type { InvalidPackets, RuleCount, RuleLog } from "../report/network-status.ts";
import { type RuleReading, RuleTotals } from "../report/rule-totals.ts";
import { summaryAlerts, Withheld } from "../report/summary-alert.ts";

const none: CounterValue = { packets: 0, bytes: 0 };

/** Milliseconds without a record after which nothing can be on its way from the kernel. */
const quietAfter = 1000;

/** Events held until the rules are known. */
const maxEarly = 10_000;

/** What the kernel's counters and ours say together. */
export interface Accounts {
	readonly rules: readonly RuleCount[];
	readonly logs: readonly RuleLog[];
	/** What rules counted since the daemon started, for each policy and for each action. */
	readonly totals: RuleFacts["totals"];
	readonly invalidPackets: InvalidPackets;
	/** As they were read, by name. */
	readonly counters: Readonly<Record<string, CounterValue>>;
}

/** Before the first reading. */
export const noAccounts: Accounts = {
	rules: [],
	logs: [],
	totals: { policies: [], actions: [] },
	invalidPackets: { ingress: 0, egress: 0, forward: 0 },
	counters: {},
};

export class PacketAlerts {
	readonly #sink: AlertSink;
	readonly #identity: HostIdentity;
	readonly #accounting = new LogAccounting();
	readonly #withheld = new Withheld();
	readonly #totals = new RuleTotals();
	readonly #hooks = new HookCounts();
	#news = false;
	#lastRecord = 0;
	#lastLogged = -1;
	#lastChange = 0;
	/** The kernel's counters as an earlier daemon left them. */
	#found: Readonly<Record<string, CounterValue>> = {};
	/** What had been received when they were read. */
	#foundReading: Reading | null = null;
	/** Events of rules that are not known yet: packets met the rules of an earlier daemon before ours were read. */
	#early: PacketEvent[] | null = [];

	constructor(sink: AlertSink, identity: HostIdentity) {
		this.#sink = sink;
		this.#identity = identity;
	}

	/** Records that the kernel dropped unread since the start. */
	get recordsLost(): number {
		return this.#accounting.lost;
	}

	/** Publishes a batch; a record of no known rule is none of ours. */
	take(batch: PacketBatch, rule: (id: string) => CompiledRule | undefined): void {
		this.#lastRecord = performance.now();
		this.#news = true;
		this.#accounting.receive(batch);
		this.#publish(batch.events, rule);
	}

	/** The rules are known now: publishes what came before they were. */
	rulesKnown(rule: (id: string) => CompiledRule | undefined): void {
		const early = this.#early;
		this.#early = null;
		if (early) this.#publish(early, rule);
	}

	/** What the kernel had counted before this daemon's first ruleset is not this daemon's to account for. */
	found(counters: Readonly<Record<string, CounterValue>>): void {
		this.#found = counters;
		this.#foundReading = this.#accounting.beginReading();
	}

	/** A new NFLOG Worker starts to count from zero. */
	workerRestarted(): void {
		this.#accounting.workerRestarted();
	}

	/** Call before the kernel is asked for its counters, and give the result to `account`. */
	beginReading(): Reading {
		return this.#accounting.beginReading();
	}

	/** Whether records came since this was asked last. */
	takeNews(): boolean {
		const news = this.#news;
		this.#news = false;
		return news;
	}

	/**
	 * Publishes how many packets of these rules raised no alert of their own since the last time, as the books
	 * have it; packets that were folded into an earlier alert of their flow are not among them.
	 * @returns whether there were any.
	 */
	summarize(rules: readonly CompiledRule[]): boolean {
		const withheld = this.#withheld.take(rules, (id) => this.#accounting.outcomes(id));
		this.#sink.publish(summaryAlerts(withheld, Date.now(), this.#identity));
		return withheld.length > 0;
	}

	/**
	 * Brings the books up to date with a reading of the kernel's counters.
	 * @param beside what is no rule of a policy in force, whose packets are logged all the same: see rulesBeside
	 */
	account(
		reading: Reading,
		rules: readonly CompiledRule[],
		counters: Readonly<Record<string, CounterValue>>,
		beside: readonly CompiledRule[] = [],
	): Accounts {
		const logged = rules.flatMap((rule) => loggedRule(rule, counters));
		const all = [...logged, ...beside.flatMap((rule) => loggedRule(rule, counters))];
		this.#adoptFound(rules, beside);
		this.#accounting.finishReading(reading, all, this.#quiet(all));
		const forwarded = this.#hooks.take(rules.flatMap((rule) => hookReading(rule, counters)));
		const counts = new Map(rules.map((rule) => [rule.id, count(rule, counters, forwarded.get(rule.id))]));
		const outcomes = new Map(logged.map(({ id }) => [id, this.#accounting.outcomes(id)]));
		this.#totals.take(
			rules.flatMap((rule): RuleReading[] => {
				const count = counters[rule.counter];
				if (rule.index < 0 || count === undefined) return [];
				const part = forwarded.get(rule.id);
				const known = { rule, count, outcomes: outcomes.get(rule.id) ?? null };
				return [part === undefined ? known : { ...known, forwarded: part }];
			}),
		);
		return {
			rules: [...counts.values()],
			totals: { policies: this.#totals.policies, actions: this.#totals.actions },
			logs: [...outcomes].flatMap(([id, known]): RuleLog[] => {
				const rule = counts.get(id);
				return rule && known ? [{ rule, outcomes: known }] : [];
			}),
			invalidPackets: {
				ingress: (counters[invalidCounter("ingress")] ?? none).packets,
				egress: (counters[invalidCounter("egress")] ?? none).packets,
				forward: (counters[invalidCounter("forward")] ?? none).packets,
			},
			counters,
		};
	}

	#publish(events: readonly PacketEvent[], rule: (id: string) => CompiledRule | undefined): void {
		const alerts = [];
		for (const event of events) {
			const compiled = rule(event.ruleId);
			if (compiled) alerts.push(networkAlert(event, compiled, this.#identity));
			else if (this.#early && this.#early.length < maxEarly) this.#early.push(event);
		}
		this.#sink.publish(alerts);
	}

	/** A rule that comes later has new counters, also where an earlier daemon had one like it. */
	#adoptFound(rules: readonly CompiledRule[], beside: readonly CompiledRule[]): void {
		const reading = this.#foundReading;
		if (reading === null) return;
		this.#foundReading = null;
		for (const rule of [...rules, ...beside]) {
			const { id, counter, logCounter } = rule;
			const found = this.#found[counter];
			if (found === undefined) continue;
			if (rule.index >= 0 && rule.staged === undefined && rule.limit === undefined)
				this.#totals.adopt(rule, found, this.#found[rule.forwardedCounter ?? ""]);
			if (logCounter === null) continue;
			const logged = (this.#found[logCounter] ?? none).packets;
			this.#accounting.adopt({ id, packets: found.packets, logged }, reading);
		}
		this.#found = {};
	}

	#quiet(rules: readonly LoggedRule[]): boolean {
		const now = performance.now();
		const sum = rules.reduce((total, rule) => total + rule.logged, 0);
		if (sum !== this.#lastLogged) this.#lastChange = now;
		this.#lastLogged = sum;
		return now - Math.max(this.#lastChange, this.#lastRecord) >= quietAfter;
	}
}

function loggedRule(
	{ id, counter, logCounter }: CompiledRule,
	counters: Readonly<Record<string, CounterValue>>,
): LoggedRule[] {
	if (logCounter === null) return [];
	const packets = (counters[counter] ?? none).packets;
	return [{ id, packets, logged: (counters[logCounter] ?? none).packets }];
}

function hookReading(
	{ id, counter, forwardedCounter }: CompiledRule,
	counters: Readonly<Record<string, CounterValue>>,
): HookReading[] {
	if (forwardedCounter === undefined) return [];
	return [{ id, all: counters[counter] ?? none, forwarded: counters[forwardedCounter] ?? none }];
}

function count(
	rule: CompiledRule,
	counters: Readonly<Record<string, CounterValue>>,
	forwarded: CounterValue | undefined,
): RuleCount {
	const { policy, index, direction, action } = rule;
	const known = { policy, index, direction, action, ...(counters[rule.counter] ?? none) };
	return forwarded === undefined ? known : { ...known, forwarded };
}
