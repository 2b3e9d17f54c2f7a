import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { limitRules } from "../../../../src/enforcers/network/compile/plan.ts";
import { describeLimit, limitCounts } from "../../../../src/enforcers/network/report/limit-counts.ts";
import { limitMetrics } from "../../../../src/enforcers/network/report/metrics/limit-metrics.ts";
import { familiesOf } from "../../../../src/report/metrics/group.ts";
import { sampleLimits } from "../../../report/sample-limits.ts";
import { parsePolicies } from "../compile/limited.ts";
import { options } from "../compile/options.ts";

test("counts by limit, and the rules without any are left out", () => {
	const rules = `- {action: Allow, ports: [{protocol: TCP}], rateLimit: {connections: 10/minute}, connectionLimit: {max: 3, per: rule}}
- {action: Allow, ports: [{protocol: UDP}]}`;
	const result = compileNetwork(parsePolicies(rules, "a"), options);
	if (!result.ok) throw new Error("refused");
	const [exceeded] = result.plan.rules.flatMap(limitRules);
	const counters = { [exceeded?.counter ?? ""]: { packets: 7, bytes: 420 } };
	const counts = limitCounts(result.plan.rules, counters);
	expect(counts).toMatchObject([
		{ policy: "a", rule: 0, direction: "ingress", limit: "rateLimit", action: "Block", exceeded: 7, full: 0 },
		{ policy: "a", rule: 0, limit: "connectionLimit", exceeded: 0, full: null },
	]);
	expect(counts.map(describeLimit)).toEqual([
		"a ingress[0] rateLimit 10/minute (burst 5) from each source (IPv6: each /64): 7 packets beyond it",
		"a ingress[0] connectionLimit 3 open connections for the whole rule: 0 packets beyond it",
	]);
});

test("what had no room is told where there is some", () => {
	expect(sampleLimits.map(describeLimit)).toEqual([
		"ssh ingress[0] rateLimit 10/minute (burst 5) from each source (IPv6: each /64): 17 packets beyond it, and 2 of sources without room",
		"ssh ingress[0] connectionLimit 20 open connections for the whole rule: 4 packets beyond it",
	]);
});

test("so many limits have series", () => {
	const samples = (maxRuleSeries: number) =>
		familiesOf([limitMetrics], { state: { limits: sampleLimits }, maxRuleSeries }).map((family) =>
			family.type === "histogram" ? -1 : family.samples.length,
		);
	expect(samples(100)).toEqual([2, 1]);
	expect(samples(1)).toEqual([1, 1]);
});
