import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Action } from "../../../src/base/model.ts";
import { type AlertLine, AlertRing, matchesFilter } from "../../../src/report/sinks/alert-ring.ts";

const all = { limit: Number.POSITIVE_INFINITY, policy: null, action: null };

const entries = fc.array(
	fc.tuple(
		fc.constantFrom("a", "b", "c"),
		fc.constantFrom("0", "1"),
		fc.constantFrom<Action>("Audit", "Block"),
	),
	{ maxLength: 60 },
);

const lines = (given: readonly (readonly [string, string, Action])[]) =>
	given.map(([policy, rule, action], index): AlertLine => ({ policy, rule, action, json: `${index}` }));

test("keeps the newest of each policy and gives them newest first", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 0, max: 9 }),
			entries,
			fc.integer({ min: 0, max: 9 }),
			fc.constantFrom("a", "b", null),
			fc.constantFrom<Action | null>("Audit", "Block", null),
			(capacity, given, limit, policy, action) => {
				const alerts = lines(given);
				const ring = new AlertRing(capacity);
				for (const alert of alerts) ring.add(alert);
				expect(ring.size).toBe(Math.min(capacity, alerts.length));
				const kept = ring.query(all);
				expect(kept.map(({ json }) => Number(json))).toEqual(
					kept.map(({ json }) => Number(json)).toSorted((a, b) => b - a),
				);
				const filter = { limit, policy, action };
				expect(ring.query(filter)).toEqual(
					kept.filter((alert) => matchesFilter(alert, filter)).slice(0, limit),
				);
				for (const owner of ["a", "b", "c"]) {
					for (const rule of ["0", "1"]) {
						const of = ({ policy, rule: own }: AlertLine) => policy === owner && own === rule;
						const mine = alerts.filter(of).toReversed();
						const left = kept.filter(of);
						expect(left).toEqual(mine.slice(0, left.length));
					}
				}
			},
		),
	);
});

test("no policy loses an alert to others while it has less than its share", () => {
	fc.assert(
		fc.property(fc.integer({ min: 3, max: 20 }), entries, (capacity, given) => {
			const alerts = lines(given);
			const ring = new AlertRing(capacity);
			for (const alert of alerts) ring.add(alert);
			for (const policy of ["a", "b", "c"]) {
				const raised = alerts.filter((alert) => alert.policy === policy).length;
				const kept = ring.query({ ...all, policy }).length;
				expect(kept).toBeGreaterThanOrEqual(Math.min(raised, Math.floor(capacity / 3)));
			}
		}),
	);
});

test("one quiet alert outlives a flood of fifty rules, of its own policy and of others", () => {
	const ring = new AlertRing(100);
	ring.add({ policy: "quiet", rule: "0", action: "Audit", json: "quiet" });
	ring.add({ policy: "loud0", rule: "quiet", action: "Audit", json: "quiet rule" });
	for (let index = 0; index < 10_000; index++)
		ring.add({ policy: `loud${index % 5}`, rule: `${index % 50}`, action: "Block", json: `${index}` });
	expect(ring.query({ ...all, action: "Audit" }).map(({ json }) => json)).toEqual(["quiet rule", "quiet"]);
	expect(ring.size).toBe(100);
	expect(ring.query(all)[0]?.json).toBe("9999");
});

test("a policy's name is compared whole", () => {
	const ring = new AlertRing(3);
	ring.add({ policy: "np10", action: "Audit", json: "{}" });
	expect(ring.query({ ...all, policy: "np1" })).toEqual([]);
	expect(ring.query({ ...all, policy: "np10" })).toHaveLength(1);
});
