/**
 * Metrics about what each rule decided; where there are too many rules for that, what the rules of each policy did, and
 * where there are too many of these, what all rules of an action did. The posture has series of its own at each level. Pure.
 */

import type { Direction } from "../../../../base/model.ts";
import type { Labels, Sample } from "../../../../report/metrics/exposition.ts";
import { byKey, type MetricGroup, mostSeries } from "../../../../report/metrics/group.ts";
import type { CounterValue } from "../../observe/counters.ts";
import type { RuleCount, RuleLog } from "../network-status.ts";
import type { RuleTotal } from "../rule-totals.ts";

export interface RuleFacts {
	/** Every rule in force, as of the last time the counters were read. */
	readonly rules: readonly RuleCount[];
	readonly ruleLogs: readonly RuleLog[];
	/** What rules counted since the daemon started, for each policy and for each action. */
	readonly totals: Readonly<Record<"policies" | "actions", readonly RuleTotal[]>>;
	/** Rules that may have series of their own. */
	readonly maxRuleSeries: number;
}

const levels = ["rule", "policy", "action"] as const;
export type SeriesLevel = (typeof levels)[number];

/** Outcomes of a rule's packets: so many series of one name. */
const outcomesOfRule = 5;

export function seriesLevel({ rules, ruleLogs, totals, maxRuleSeries }: RuleFacts): SeriesLevel {
	const fits = (counts: readonly (RuleCount | RuleTotal)[], alerting: number) =>
		counts.length <= maxRuleSeries &&
		alerting * outcomesOfRule <= mostSeries &&
		hooksOf(counts) <= mostSeries;
	if (fits(rules, ruleLogs.length)) return "rule";
	return fits(totals.policies, totals.policies.length) ? "policy" : "action";
}

/** Where packets are counted apart: once for the host's own, and once for those that are forwarded. */
function hooksOf(counts: readonly (RuleCount | RuleTotal)[]): number {
	return counts.reduce((sum, { forwarded = null }) => sum + (forwarded === null ? 1 : 2), 0);
}

function ruleLabels(rule: RuleCount): Labels {
	return {
		policy: rule.policy,
		rule: rule.index < 0 ? "default" : String(rule.index),
		direction: rule.direction,
		action: rule.action,
	};
}

function totalLabels({ policy, direction, action }: RuleTotal): Labels {
	return { ...(policy === null ? {} : { policy }), direction, action };
}

/** What has series now: rules, and the sums that stand for the others. */
function shown(facts: RuleFacts) {
	const { rules, ruleLogs, totals } = facts;
	const level = seriesLevel(facts);
	if (level === "rule") return { rules, ruleLogs, totals: [] };
	return {
		rules: rules.filter(({ index }) => index < 0),
		ruleLogs: ruleLogs.filter(({ rule }) => rule.index < 0),
		totals: level === "policy" ? totals.policies : totals.actions,
	};
}

function counted(facts: RuleFacts, value: (count: CounterValue) => number): Sample[] {
	const { rules, totals } = shown(facts);
	return [
		...rules.flatMap((rule) => hookSamples(ruleLabels(rule), rule, value)),
		...totals.flatMap((total) => hookSamples(totalLabels(total), total, value)),
	];
}

const ownHook: Readonly<Record<Direction, string>> = { ingress: "input", egress: "output" };

/** The host's own packets and the forwarded ones add up to all. */
function hookSamples(
	labels: Labels,
	count: RuleCount | RuleTotal,
	value: (count: CounterValue) => number,
): Sample[] {
	const { direction, forwarded = null } = count;
	const own = { labels: { ...labels, hook: ownHook[direction] }, value: value(count) };
	if (forwarded === null) return [own];
	const through = value(forwarded);
	return [
		{ ...own, value: own.value - through },
		{ labels: { ...labels, hook: "forward" }, value: through },
	];
}

function outcomeSamples(labels: Labels, outcomes: Readonly<Record<string, number>>): Sample[] {
	return Object.entries(outcomes).map(([outcome, value]) => ({ labels: { ...labels, outcome }, value }));
}

export const ruleMetrics: MetricGroup<RuleFacts> = [
	{
		name: "portward_policy_packets_total",
		type: "counter",
		help: "Packets that a policy rule, or the default posture, decided.",
		labels: ["policy", "rule", "direction", "action", "hook"],
		since: "0.2.0",
		samples: (facts) => counted(facts, ({ packets }) => packets),
	},
	{
		name: "portward_policy_bytes_total",
		type: "counter",
		help: "Bytes of the packets that a policy rule, or the default posture, decided.",
		labels: ["policy", "rule", "direction", "action", "hook"],
		since: "0.2.0",
		samples: (facts) => counted(facts, ({ bytes }) => bytes),
	},
	{
		name: "portward_policy_log_packets_total",
		type: "counter",
		help: "What became of the packets that an alerting rule counted; the outcomes of a rule add up to its packets.",
		labels: ["policy", "rule", "direction", "action", "outcome"],
		since: "0.2.0",
		samples: (facts) => {
			const { ruleLogs, totals } = shown(facts);
			return [
				...ruleLogs.flatMap(({ rule, outcomes }) => outcomeSamples(ruleLabels(rule), { ...outcomes })),
				...totals.flatMap((total) =>
					total.outcomes === null ? [] : outcomeSamples(totalLabels(total), { ...total.outcomes }),
				),
			];
		},
	},
	{
		name: "portward_rule_series_level",
		type: "gauge",
		help: "What each series of portward_policy_* sums up: 1 for a rule, a policy, or all rules of an action (metrics.maxRuleSeries).",
		labels: ["level"],
		since: "0.2.0",
		samples: (facts) => {
			const now = seriesLevel(facts);
			return byKey("level", Object.fromEntries(levels.map((level) => [level, Number(level === now)])));
		},
	},
];
