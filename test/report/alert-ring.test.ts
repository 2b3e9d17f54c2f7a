import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Action } from "../../src/policy/model.ts";
import { type AlertLine, AlertRing, matchesFilter } from "../../src/report/alert-ring.ts";

const all = { limit: Number.POSITIVE_INFINITY, policy: null, action: null };

test("keeps the newest and gives them newest first, like a list that is cut", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 0, max: 7 }),
			fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.constantFrom<Action>("Audit", "Block")), {
				maxLength: 30,
			}),
			fc.integer({ min: 0, max: 9 }),
			fc.constantFrom("a", "b", null),
			fc.constantFrom<Action | null>("Audit", "Block", null),
			(capacity, entries, limit, policy, action) => {
				const alerts = entries.map(
					([policy, action], index): AlertLine => ({ policy, action, json: `${index}` }),
				);
				const ring = new AlertRing(capacity);
				for (const alert of alerts) ring.add(alert);
				const filter = { limit, policy, action };
				const expected = alerts
					.toReversed()
					.slice(0, capacity)
					.filter((alert) => matchesFilter(alert, filter))
					.slice(0, limit);
				expect(ring.query(filter)).toEqual(expected);
				expect(ring.size).toBe(Math.min(capacity, alerts.length));
			},
		),
	);
});

test("a policy's name is compared whole", () => {
	const ring = new AlertRing(3);
	ring.add({ policy: "np10", action: "Audit", json: "{}" });
	expect(ring.query({ ...all, policy: "np1" })).toEqual([]);
	expect(ring.query({ ...all, policy: "np10" })).toHaveLength(1);
});
