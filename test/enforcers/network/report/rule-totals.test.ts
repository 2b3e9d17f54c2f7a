import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type RuleReading, RuleTotals } from "../../../../src/enforcers/network/report/rule-totals.ts";

const rule = (id: string, policy: string, action: "Allow" | "Block" = "Block") =>
	({ id, policy, direction: "ingress", action }) as const;
const outcomes = (alerted: number, lost = 0) =>
	({ alerted, aggregated: 0, suppressed: 0, lost, earlier: 5 }) as const;
const reading = (
	of: RuleReading["rule"],
	packets: number,
	told: RuleReading["outcomes"] = null,
): RuleReading => ({ rule: of, count: { packets, bytes: 10 * packets }, outcomes: told });

const a = rule("1", "a");
const b = rule("2", "b");

test("what leaves stays in the sum of its action, and its policy loses its series", () => {
	const totals = new RuleTotals();
	totals.take([reading(a, 5), reading(b, 7)]);
	expect(totals.policies).toMatchObject([
		{ policy: "a", direction: "ingress", action: "Block", packets: 5, bytes: 50, outcomes: null },
		{ policy: "b", packets: 7 },
	]);
	totals.take([reading(b, 9)]);
	expect(totals.policies).toMatchObject([{ policy: "b", packets: 9 }]);
	expect(totals.actions).toMatchObject([{ policy: null, action: "Block", packets: 14, bytes: 140 }]);
	totals.take([reading(a, 1), reading(b, 9), reading(rule("3", "b", "Allow"), 4)]);
	expect(totals.policies).toMatchObject([
		{ policy: "b", packets: 9 },
		{ policy: "a", packets: 1 },
		{ policy: "b", action: "Allow", packets: 4 },
	]);
	expect(totals.actions).toMatchObject([{ packets: 15 }, { action: "Allow", packets: 4 }]);
});

test("what an earlier daemon's rules had counted is in no sum", () => {
	const totals = new RuleTotals();
	totals.adopt(a, { packets: 100, bytes: 1000 });
	totals.take([reading(a, 103)]);
	expect(totals.actions).toMatchObject([{ packets: 3, bytes: 30 }]);
});

test("of what is forwarded there is a sum where a rule meets it", () => {
	const totals = new RuleTotals();
	const of = (packets: number) => ({ packets, bytes: 10 * packets });
	totals.adopt(a, of(100), of(40));
	totals.take([{ ...reading(a, 103), forwarded: of(42) }, reading(b, 7)]);
	expect(totals.policies).toMatchObject([
		{ policy: "a", packets: 3, forwarded: of(2) },
		{ policy: "b", packets: 7, forwarded: null },
	]);
	// Counters that begin anew.
	totals.take([{ ...reading(a, 5), forwarded: of(1) }, reading(b, 7)]);
	expect(totals.actions).toMatchObject([{ packets: 15, forwarded: of(3) }]);
});

describe("counters that begin anew", () => {
	test("count from there on", () => {
		const totals = new RuleTotals();
		totals.take([reading(a, 50, outcomes(50))]);
		totals.take([reading(a, 2, outcomes(1, 1))]);
		expect(totals.actions).toMatchObject([{ packets: 52, bytes: 520, outcomes: { alerted: 51, lost: 1 } }]);
	});

	test("are not seen in an outcome that is judged anew", () => {
		const totals = new RuleTotals();
		for (const alerted of [10, 9, 10, 11]) totals.take([reading(a, 20, outcomes(alerted))]);
		expect(totals.policies).toMatchObject([{ packets: 20, outcomes: { alerted: 11 } }]);
		expect(totals.policies[0]?.outcomes).not.toHaveProperty("earlier");
	});
});

test("the sum of an action is every packet that was read, whichever rules come and go", () => {
	const step = fc.array(fc.record({ id: fc.nat(4), more: fc.nat(100) }), { maxLength: 5 });
	fc.assert(
		fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
			const totals = new RuleTotals();
			const kernel = new Map<number, number>();
			let sum = 0;
			for (const changes of steps) {
				const present = new Set(changes.map(({ id }) => id));
				// A rule that leaves takes its counter along.
				for (const id of kernel.keys()) if (!present.has(id)) kernel.delete(id);
				for (const { id, more } of changes) {
					kernel.set(id, (kernel.get(id) ?? 0) + more);
					sum += more;
				}
				totals.take([...kernel].map(([id, packets]) => reading(rule(String(id), `p${id % 2}`), packets)));
				const [action] = totals.actions;
				expect(action?.packets ?? 0).toBe(sum);
				const shown = totals.policies.reduce((all, { packets }) => all + packets, 0);
				expect(shown).toBeLessThanOrEqual(sum);
			}
		}),
	);
});
