import { expect, test } from "bun:test";
import type { CompiledRule } from "../../../../src/enforcers/network/compile/plan.ts";
import { summaryAlerts, Withheld } from "../../../../src/enforcers/network/report/summary-alert.ts";

const host = { clusterName: "default", hostName: "h", nodeId: "n" };

const rule = (id: string, over: Partial<CompiledRule> = {}): CompiledRule => ({
	id,
	policy: `policy-${id}`,
	index: 0,
	direction: "ingress",
	action: "Block",
	severity: 5,
	tags: [],
	message: "",
	place: null,
	counter: `c_${id}`,
	logCounter: `l_${id}`,
	...over,
});

const from = (books: Readonly<Record<string, readonly [number, number]>>) => (id: string) => {
	const found = books[id];
	return found === undefined ? null : { suppressed: found[0], lost: found[1] };
};

const totals = (found: ReturnType<Withheld["take"]>) =>
	found.map(({ rule, suppressed, lost }) => [rule.policy, suppressed, lost]);

test("tells of each rule what is new, the largest first, and nothing twice", () => {
	const withheld = new Withheld();
	const rules = [rule("a"), rule("b"), rule("silent", { logCounter: null })];
	expect(totals(withheld.take(rules, from({ a: [5, 0], b: [7, 2], silent: [9, 9] })))).toEqual([
		["policy-b", 7, 2],
		["policy-a", 5, 0],
	]);
	expect(withheld.take(rules, from({ a: [5, 0], b: [7, 2] }))).toEqual([]);
	expect(totals(withheld.take(rules, from({ a: [6, 0], b: [7, 3] })))).toEqual([
		["policy-a", 1, 0],
		["policy-b", 0, 1],
	]);
});

test("counters that began anew, and rules that come back, count from nothing", () => {
	const withheld = new Withheld();
	withheld.take([rule("a")], from({ a: [100, 0] }));
	expect(totals(withheld.take([rule("a")], from({ a: [30, 0] })))).toEqual([["policy-a", 30, 0]]);
	withheld.take([], from({}));
	expect(totals(withheld.take([rule("a")], from({ a: [31, 0] })))).toEqual([["policy-a", 31, 0]]);
});

test("an alert says how many packets of which rule", () => {
	const [alert] = summaryAlerts([{ rule: rule("a", { index: 3 }), suppressed: 40, lost: 2 }], 0, host);
	expect(alert).toMatchObject({
		PolicyName: "",
		Type: "SystemEvent",
		Action: "Block",
		Resource: "INGRESS",
		Tags: "SUMMARY",
		Message: "42 packets of policy-a raised no alert of their own, as alerts came too fast",
		EventData: { Policy: "policy-a", RuleIndex: "3", Packets: "42", Suppressed: "40", Lost: "2" },
	});
});

test("a thousand rules make few alerts, and no packet is missing in them", () => {
	const many = Array.from({ length: 1000 }, (_, index) => ({
		rule: rule(`r${index}`),
		suppressed: 10,
		lost: 1,
	}));
	const alerts = summaryAlerts(many, 0, host);
	expect(alerts).toHaveLength(65);
	expect(alerts.at(-1)?.EventData).toMatchObject({ Rules: "936" });
	expect(alerts.reduce((sum, { EventData }) => sum + Number(EventData.Packets), 0)).toBe(11_000);
});
