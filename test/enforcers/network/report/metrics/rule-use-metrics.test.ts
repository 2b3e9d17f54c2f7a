import { expect, test } from "bun:test";
import { ruleUseMetrics } from "../../../../../src/enforcers/network/report/metrics/rule-use-metrics.ts";
import { formatFamilies } from "../../../../../src/report/metrics/exposition.ts";
import { familiesOf } from "../../../../../src/report/metrics/group.ts";

const use = { policy: "web", direction: "ingress", action: "Allow", packets: 1 } as const;
const ruleUses = [
	{ ...use, index: 0, since: 1_000, lastMatch: 61_500 },
	{ ...use, index: 1, since: 2_000, lastMatch: null },
];

function series(maxRuleSeries: number): string[] {
	const rules = ruleUses.map(({ policy, index, direction, action }) => ({
		...{ policy, index, direction, action },
		packets: 1,
		bytes: 1,
	}));
	const total = {
		direction: "ingress",
		action: "Allow",
		packets: 2,
		bytes: 2,
		forwarded: null,
		outcomes: null,
	} as const;
	const totals = {
		policies: [{ ...total, policy: "web" }],
		actions: [{ ...total, policy: null }],
	};
	const facts = { rules, ruleLogs: [], totals, maxRuleSeries, ruleUses };
	return formatFamilies(familiesOf([ruleUseMetrics], facts))
		.split("\n")
		.filter((line) => line.startsWith("portward_"))
		.toSorted();
}

test("each rule has its times; one that never matched has no last match", () => {
	const labels = (rule: number) => `{policy="web",rule="${rule}",direction="ingress",action="Allow"}`;
	expect(series(10)).toEqual([
		`portward_rule_counting_since_timestamp_seconds${labels(0)} 1`,
		`portward_rule_counting_since_timestamp_seconds${labels(1)} 2`,
		`portward_rule_last_match_timestamp_seconds${labels(0)} 61.5`,
	]);
});

test("where rules are too many for that, policies or actions have the times of their rules", () => {
	expect(series(1)).toEqual([
		'portward_rule_counting_since_timestamp_seconds{policy="web",direction="ingress",action="Allow"} 1',
		'portward_rule_last_match_timestamp_seconds{policy="web",direction="ingress",action="Allow"} 61.5',
	]);
	expect(series(0)).toEqual([
		'portward_rule_counting_since_timestamp_seconds{direction="ingress",action="Allow"} 1',
		'portward_rule_last_match_timestamp_seconds{direction="ingress",action="Allow"} 61.5',
	]);
});
