import { describe, expect, test } from "bun:test";
import type { CompiledRule } from "../../../../../src/enforcers/network/compile/plan.ts";
import {
	type RuleFacts,
	ruleMetrics,
} from "../../../../../src/enforcers/network/report/metrics/rule-metrics.ts";
import { PacketAlerts } from "../../../../../src/enforcers/network/run/packet-alerts.ts";
import { formatFamilies } from "../../../../../src/report/metrics/exposition.ts";
import { familiesOf } from "../../../../../src/report/metrics/group.ts";
import { AlertRing } from "../../../../../src/report/sinks/alert-ring.ts";
import { AlertSink } from "../../../../../src/report/sinks/alert-sink.ts";

/** @param policies of five rules each, all of them alerting */
function rulesOf(policies: number): CompiledRule[] {
	const rules = Array.from({ length: 5 * policies }, (_, index): CompiledRule => {
		const id = String(index);
		return {
			id,
			policy: `team-${Math.floor(index / 5)}-of-a-large-host-and-its-services`,
			index: index % 5,
			direction: index % 2 === 0 ? "ingress" : "egress",
			action: index % 3 === 0 ? "Block" : "Audit",
			severity: 5,
			tags: [],
			message: "m",
			place: null,
			counter: `c_${id}`,
			logCounter: `l_${id}`,
		};
	});
	const posture = { policy: "DefaultPosture", index: -1, direction: "ingress", action: "Block" } as const;
	const common = { id: "p", severity: 1, tags: [], message: "", place: null };
	return [...rules, { ...posture, ...common, counter: "c_p", logCounter: "l_p" }];
}

class Host {
	readonly packetAlerts = new PacketAlerts(
		new AlertSink({ ring: new AlertRing(1), stdout: null, file: null, onFileState: () => {} }),
		{ clusterName: "c", hostName: "h", nodeId: "n" },
	);

	/** The facts when each rule's counter is at `packets`. */
	facts(rules: readonly CompiledRule[], packets: number, maxRuleSeries = 2000): RuleFacts {
		const value = { packets, bytes: 60 * packets };
		const counters = Object.fromEntries(
			rules.flatMap(({ counter, logCounter }) => [
				[counter, value],
				[logCounter ?? "", value],
			]),
		);
		const {
			rules: counts,
			logs,
			totals,
		} = this.packetAlerts.account(this.packetAlerts.beginReading(), rules, counters);
		return { rules: counts, ruleLogs: logs, totals, maxRuleSeries };
	}
}

function render(facts: RuleFacts): string {
	return formatFamilies(familiesOf([ruleMetrics], facts));
}

/** The series of one name, by their labels. */
function series(text: string, name: string): Record<string, number> {
	const found = text.matchAll(new RegExp(`^${name}\\{(.*)\\} (\\d+)$`, "gm"));
	return Object.fromEntries(Array.from(found, ([, labels = "", value]) => [labels, Number(value)]));
}

describe("series stand for", () => {
	const rules = rulesOf(2);
	const posture = 'policy="DefaultPosture",rule="default",direction="ingress",action="Block",hook="input"';

	test("each rule, while there are not too many", () => {
		const text = render(new Host().facts(rules, 7, 11));
		const packets = series(text, "portward_policy_packets_total");
		expect(Object.keys(packets)).toHaveLength(11);
		expect(packets).toHaveProperty([
			'policy="team-0-of-a-large-host-and-its-services",rule="3",direction="egress",action="Block",hook="output"',
		]);
		expect(text).toContain('portward_rule_series_level{level="rule"} 1\n');
		expect(text).toContain('portward_rule_series_level{level="policy"} 0\n');
	});

	test("policies beyond that", () => {
		const text = render(new Host().facts(rules, 7, 10));
		const packets = series(text, "portward_policy_packets_total");
		expect(packets).toMatchObject({
			'policy="team-0-of-a-large-host-and-its-services",direction="ingress",action="Audit",hook="input"': 14,
			'policy="team-0-of-a-large-host-and-its-services",direction="ingress",action="Block",hook="input"': 7,
			[posture]: 7,
		});
		expect(Object.values(packets).reduce((sum, value) => sum + value)).toBe(77);
		expect(text).toContain('portward_rule_series_level{level="policy"} 1\n');
	});

	test("actions beyond that, and the posture has its own series all the same", () => {
		const text = render(new Host().facts(rules, 7, 0));
		expect(series(text, "portward_policy_packets_total")).toEqual({
			'direction="ingress",action="Block",hook="input"': 14,
			'direction="egress",action="Audit",hook="output"': 21,
			'direction="ingress",action="Audit",hook="input"': 21,
			'direction="egress",action="Block",hook="output"': 14,
			[posture]: 7,
		});
		expect(series(text, "portward_policy_bytes_total")).toMatchObject({
			'direction="ingress",action="Block",hook="input"': 840,
		});
		const outcomes = series(text, "portward_policy_log_packets_total");
		const ofAction = Object.entries(outcomes).filter(([labels]) => !labels.includes("policy="));
		expect(ofAction).toHaveLength(16);
		expect(text).toContain('portward_rule_series_level{level="action"} 1\n');
	});
});

test("a name stays below its bound though the settings allow more rules, as outcomes are five for each", () => {
	const level = (policies: number) => {
		const text = render(new Host().facts(rulesOf(policies), 1, 10_000));
		expect(Object.keys(series(text, "portward_policy_log_packets_total")).length).toBeLessThanOrEqual(10_000);
		return /level="(\w+)"\} 1\n/u.exec(text)?.[1];
	};
	expect(level(399)).toBe("rule");
	expect(level(400)).toBe("policy");
});

test("no counter falls while rules come and go and the level changes with them", () => {
	const host = new Host();
	const highest: Record<string, number> = {};
	for (const [policies, packets] of [
		[500, 10],
		[399, 20],
		[1000, 30],
		[300, 40],
		[500, 50],
	] as const) {
		const now = series(render(host.facts(rulesOf(policies), packets)), "portward_policy_packets_total");
		for (const [labels, value] of Object.entries(now)) {
			expect(value).toBeGreaterThanOrEqual(highest[labels] ?? 0);
			highest[labels] = value;
		}
	}
});

test("fifty thousand rules are read and told in less than 2 MB and a second, by policy or by action", () => {
	const rules = rulesOf(10_000);
	const host = new Host();
	host.facts(rules, 1);
	for (const maxRuleSeries of [2000, 10_000]) {
		const before = process.cpuUsage();
		const text = render(host.facts(rules, 7, maxRuleSeries));
		// Others may have the processor meanwhile.
		const { user, system } = process.cpuUsage(before);
		expect(user + system).toBeLessThan(1e6);
		expect(Buffer.byteLength(text)).toBeLessThan(2_000_000);
		expect(text).toContain('level="action"} 1');
	}
	// Rules of one kind and few policies: as many series as there may be.
	const alike = rules.map((rule) =>
		rule.index < 0
			? rule
			: {
					...rule,
					policy: `team-${Number(rule.id) % 1990}-of-a-large-host-and-its-services`,
					direction: "ingress" as const,
					action: "Block" as const,
				},
	);
	const text = render(new Host().facts(alike, 7));
	expect(text).toContain('level="policy"} 1');
	expect(Buffer.byteLength(text)).toBeLessThan(2_000_000);
});

test("what is forwarded has series of its own, and the host's own packets are the rest", () => {
	const facts = new Host().facts(rulesOf(1), 7);
	const forwarded = { packets: 3, bytes: 100 };
	const [first, ...others] = facts.rules;
	if (first === undefined) throw new Error("no rule");
	const text = render({ ...facts, rules: [{ ...first, forwarded }, ...others] });
	const of = (name: string) =>
		Object.entries(series(text, name))
			.filter(([labels]) => labels.includes(`rule="${first.index}"`) && labels.includes(first.policy))
			.map(([labels, value]) => [/hook="(\w+)"/.exec(labels)?.[1], value]);
	expect(of("portward_policy_packets_total")).toEqual([
		["forward", 3],
		[first.direction === "ingress" ? "input" : "output", first.packets - 3],
	]);
	expect(of("portward_policy_bytes_total")).toContainEqual(["forward", 100]);
});
