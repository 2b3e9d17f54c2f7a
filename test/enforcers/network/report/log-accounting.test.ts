import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { RuleTally } from "../../../../src/enforcers/network/observe/event.ts";
import {
	LogAccounting,
	type LoggedRule,
	type LogOutcomes,
} from "../../../../src/enforcers/network/report/log-accounting.ts";

function sum(outcomes: LogOutcomes | null): number {
	if (outcomes === null) return Number.NaN;
	return Object.values(outcomes).reduce((total, value) => total + value, 0);
}

const tally = (received: number, aggregated = 0, overflow = 0): RuleTally => ({
	received,
	aggregated,
	overflow,
});

/** A batch and then a reading of the counters. */
function read(
	accounting: LogAccounting,
	rules: readonly LoggedRule[],
	tallies: Readonly<Record<string, RuleTally>>,
	lost: number,
	quiet = false,
): void {
	accounting.receive({ tallies, lost });
	accounting.finishReading(accounting.beginReading(), rules, quiet);
}

test("every packet has one outcome", () => {
	const accounting = new LogAccounting();
	read(accounting, [{ id: "a", packets: 100, logged: 40 }], { a: tally(30, 5) }, 10);
	expect(accounting.outcomes("a")).toEqual({
		alerted: 25,
		aggregated: 5,
		suppressed: 60,
		lost: 10,
		earlier: 0,
	});
	expect(accounting.outcomes("b")).toBeNull();
});

test("what the reader gave up is suppressed, as what the kernel held back is", () => {
	const accounting = new LogAccounting();
	read(accounting, [{ id: "a", packets: 100, logged: 40 }], { a: tally(40, 5, 10) }, 0);
	expect(accounting.outcomes("a")).toEqual({
		alerted: 25,
		aggregated: 5,
		suppressed: 70,
		lost: 0,
		earlier: 0,
	});
});

test("a batch that comes while the counters are read does not spoil the reading", () => {
	const accounting = new LogAccounting();
	accounting.receive({ tallies: { a: tally(5), b: tally(5) }, lost: 1 });
	const reading = accounting.beginReading();
	accounting.receive({ tallies: { b: tally(50) }, lost: 1 });
	const rules = [
		{ id: "a", packets: 8, logged: 8 },
		{ id: "b", packets: 5, logged: 5 },
	];
	accounting.finishReading(reading, rules, false);
	expect(accounting.outcomes("a")).toMatchObject({ alerted: 5, lost: 1 });
	expect(accounting.outcomes("b")).toMatchObject({ alerted: 5, lost: 0 });
});

test("a rule that left and came back counts anew", () => {
	const accounting = new LogAccounting();
	read(accounting, [{ id: "a", packets: 50, logged: 50 }], { a: tally(40) }, 0);
	read(accounting, [], { a: tally(50) }, 0);
	expect(accounting.outcomes("a")).toBeNull();
	read(accounting, [{ id: "a", packets: 3, logged: 3 }], { a: tally(53) }, 0);
	expect(accounting.outcomes("a")).toEqual({ alerted: 3, aggregated: 0, suppressed: 0, lost: 0, earlier: 0 });
});

test("a batch tells only of rules that changed", () => {
	const accounting = new LogAccounting();
	read(accounting, [{ id: "a", packets: 5, logged: 5 }], { a: tally(5) }, 0);
	read(accounting, [{ id: "a", packets: 5, logged: 5 }], {}, 0);
	expect(accounting.outcomes("a")?.alerted).toBe(5);
});

test("packets on their way are not lost", () => {
	const accounting = new LogAccounting();
	read(accounting, [{ id: "a", packets: 10, logged: 10 }], { a: tally(4) }, 0);
	expect(accounting.outcomes("a")?.lost).toBe(0);
	read(accounting, [{ id: "a", packets: 10, logged: 10 }], { a: tally(10) }, 0);
	expect(accounting.outcomes("a")).toMatchObject({ alerted: 10, lost: 0 });
});

test("what has not come when all is quiet is lost, sequence gap or not", () => {
	const accounting = new LogAccounting();
	read(accounting, [{ id: "a", packets: 10, logged: 10 }], { a: tally(4) }, 0, true);
	expect(accounting.outcomes("a")).toMatchObject({ alerted: 4, lost: 6 });
});

test("counts from before this daemon are earlier", () => {
	const accounting = new LogAccounting();
	accounting.adopt({ id: "a", packets: 1000, logged: 100 });
	read(accounting, [{ id: "a", packets: 1010, logged: 103 }], { a: tally(3) }, 0);
	expect(accounting.outcomes("a")).toEqual({
		alerted: 3,
		aggregated: 0,
		suppressed: 7,
		lost: 0,
		earlier: 1000,
	});
});

test("what was received before a rule is adopted is not earlier", () => {
	const accounting = new LogAccounting();
	accounting.receive({ tallies: { a: tally(5, 1) }, lost: 0 });
	accounting.adopt({ id: "a", packets: 1005, logged: 105 });
	read(accounting, [{ id: "a", packets: 1010, logged: 108 }], { a: tally(8, 1) }, 0);
	expect(accounting.outcomes("a")).toEqual({
		alerted: 7,
		aggregated: 1,
		suppressed: 2,
		lost: 0,
		earlier: 1000,
	});
});

test("a restarted Worker's tallies continue its predecessor's", () => {
	const accounting = new LogAccounting();
	read(accounting, [{ id: "a", packets: 10, logged: 10 }], { a: tally(8, 2) }, 2);
	accounting.workerRestarted();
	read(accounting, [{ id: "a", packets: 15, logged: 15 }], { a: tally(4, 1) }, 1);
	expect(accounting.outcomes("a")).toEqual({ alerted: 9, aggregated: 3, suppressed: 0, lost: 3, earlier: 0 });
	expect(accounting.lost).toBe(3);
});

test("counters that began anew begin the outcomes anew", () => {
	const accounting = new LogAccounting();
	read(accounting, [{ id: "a", packets: 50, logged: 20 }], { a: tally(20, 4) }, 0);
	read(accounting, [{ id: "a", packets: 5, logged: 3 }], { a: tally(23, 5) }, 0);
	expect(accounting.outcomes("a")).toEqual({ alerted: 2, aggregated: 1, suppressed: 2, lost: 0, earlier: 0 });
});

test("rules that are gone are forgotten, hostile ids included", () => {
	const accounting = new LogAccounting();
	read(accounting, [{ id: "__proto__", packets: 1, logged: 1 }], {}, 0);
	expect(accounting.outcomes("__proto__")?.suppressed).toBe(0);
	read(accounting, [], {}, 0);
	expect(accounting.outcomes("__proto__")).toBeNull();
});

/** One thing that happens to one rule. */
const step = fc.record({
	rule: fc.constantFrom("a", "b", "c"),
	event: fc.constantFrom("suppress", "log", "receive", "aggregate", "lose"),
	times: fc.integer({ min: 1, max: 9 }),
	read: fc.boolean(),
});

describe("against a model that knows each packet", () => {
	test("lost never exceeds the truth, never falls, and is exact in the end", () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
				const accounting = new LogAccounting();
				const ids = ["a", "b", "c"];
				const truth = Object.fromEntries(
					ids.map((id) => [id, { packets: 0, logged: 0, received: 0, aggregated: 0, lost: 0 }]),
				);
				const before: Record<string, number> = {};
				const readAll = () => {
					const entries = Object.entries(truth);
					read(
						accounting,
						entries.map(([id, rule]) => ({ id, packets: rule.packets, logged: rule.logged })),
						Object.fromEntries(entries.map(([id, rule]) => [id, tally(rule.received, rule.aggregated)])),
						entries.reduce((total, [, rule]) => total + rule.lost, 0),
					);
					for (const [id, rule] of entries) {
						const lost = accounting.outcomes(id)?.lost ?? -1;
						expect(lost).toBeLessThanOrEqual(rule.lost);
						expect(lost).toBeGreaterThanOrEqual(before[id] ?? 0);
						before[id] = lost;
					}
				};
				for (const { rule: id, event, times, read: readNow } of steps) {
					const rule = truth[id];
					if (rule === undefined) continue;
					const waiting = rule.logged - rule.received - rule.lost;
					const some = Math.min(times, waiting);
					if (event === "suppress") rule.packets += times;
					else if (event === "log") {
						rule.packets += times;
						rule.logged += times;
					} else if (event === "lose") rule.lost += some;
					else {
						rule.received += some;
						if (event === "aggregate") rule.aggregated += some;
					}
					if (readNow) readAll();
				}
				for (const rule of Object.values(truth)) rule.received = rule.logged - rule.lost;
				readAll();
				for (const [id, rule] of Object.entries(truth)) {
					expect(sum(accounting.outcomes(id))).toBe(rule.packets);
					expect(accounting.outcomes(id)?.lost).toBe(rule.lost);
				}
			}),
		);
	});
});

test("what was on its way when the account begins is not earlier, or was never counted by these counters", () => {
	const accounting = new LogAccounting();
	const id = "00000000000000aa";
	const tallies = (received: number) => ({
		tallies: { [id]: { received, aggregated: 0, overflow: 0 } },
		lost: 0,
	});
	accounting.adopt({ id, packets: 100, logged: 50 });
	accounting.receive(tallies(12));
	accounting.finishReading(accounting.beginReading(), [{ id, packets: 110, logged: 52 }], false);
	expect(accounting.outcomes(id)).toEqual({
		alerted: 12,
		aggregated: 0,
		suppressed: 8,
		lost: 0,
		earlier: 90,
	});
	// The table was flushed, and its counters begin anew while 5 records are on their way.
	accounting.receive(tallies(20));
	accounting.finishReading(accounting.beginReading(), [{ id, packets: 4, logged: 3 }], false);
	expect(accounting.outcomes(id)).toEqual({ alerted: 3, aggregated: 0, suppressed: 1, lost: 0, earlier: 0 });
});
