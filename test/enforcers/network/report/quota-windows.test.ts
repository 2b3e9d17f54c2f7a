import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { PlannedQuota } from "../../../../src/enforcers/network/compile/plan.ts";
import { type KeptQuota, QuotaWindows } from "../../../../src/enforcers/network/report/quota-windows.ts";

const key = "0123456789abcdef";

function quota(bytes = 1000, seconds = 60): PlannedQuota {
	const rule = {
		id: "id",
		policy: "p",
		index: 0,
		direction: "egress",
		action: "Block",
		severity: 1,
		tags: [],
		message: "",
		place: null,
		counter: "over_id",
		logCounter: null,
	} as const;
	return { key, object: `q_${key}_${bytes}`, rule, bytes, limit: `${bytes}`, seconds };
}

const reading = (used: number, packets = 0, bytes = 1000) => ({
	used: { [`q_${key}_${bytes}`]: used },
	over: { over_id: { packets, bytes: 100 * packets } },
});

describe("a window", () => {
	test("begins with its rule, and the next follows without a gap", () => {
		const windows = new QuotaWindows();
		windows.began([quota()], 5000);
		windows.take(reading(1000, 3), 30_000);
		expect(windows.status).toMatchObject([
			{ usedBytes: 1000, exhausted: true, beyond: { packets: 3, bytes: 300 }, windowSeconds: 60 },
		]);
		expect(windows.over(64_999)).toEqual([]);
		expect(windows.nextEnd).toBe(65_000);
		expect(windows.over(200_000)).toHaveLength(1);
		windows.restarted(windows.over(200_000), 200_000);
		// 5, 65, 125 and 185 seconds.
		expect(windows.nextEnd).toBe(245_000);
		expect(windows.status).toMatchObject([{ usedBytes: 0, exhausted: false, beyond: { packets: 0 } }]);
		windows.take(reading(10, 4), 201_000);
		expect(windows.status).toMatchObject([{ usedBytes: 10, beyond: { packets: 1, bytes: 100 } }]);
	});

	test("that was kept from a clock far ahead begins now", () => {
		const last = 8_640_000_000_000_000;
		const windows = new QuotaWindows([{ key, start: last, seconds: 60, used: 400, told: false }]);
		windows.began([quota()], 5000);
		expect(windows.status).toMatchObject([{ usedBytes: 400, windowStart: new Date(5000).toISOString() }]);
		expect(windows.nextEnd).toBe(65_000);
	});

	test("tells once", () => {
		const windows = new QuotaWindows();
		windows.began([quota()], 0);
		windows.take(reading(1000, 1), 1);
		expect(windows.untold()).toHaveLength(1);
		expect([windows.tell(key), windows.tell(key), windows.tell("other")]).toEqual([true, false, false]);
		expect(windows.untold()).toEqual([]);
		windows.restarted([quota()], 60_000);
		expect(windows.tell(key)).toBe(true);
		expect(windows.byId("id")).toMatchObject({ key });
	});

	test("of a clock that was ahead begins now", () => {
		const windows = new QuotaWindows([{ key, start: 900_000, seconds: 60, used: 5, told: false }]);
		windows.began([quota()], 1000);
		windows.take(reading(7), 1000);
		expect(windows.nextEnd).toBe(61_000);
	});
});

test("the kernel's own number wins, and of what it does not have the known one is what it begins with", () => {
	const kept: KeptQuota = { key, start: 0, seconds: 60, used: 400, told: true };
	const windows = new QuotaWindows([kept]);
	expect(windows.used([quota()], 59_999)).toEqual({ [quota().object]: 400 });
	expect(windows.used([quota()], 60_000)).toEqual({});
	windows.take(reading(600), 100);
	expect(windows.used([quota(2000)], 100)).toEqual({ [quota(2000).object]: 600 });
	windows.began([quota(2000)], 100);
	// The object of before stays beside the new one for a while.
	windows.take(reading(900), 200);
	expect(windows.kept).toEqual([{ ...kept, used: 600 }]);
	expect(windows.tell(key)).toBe(false);
});

test("rules that went are remembered while their windows run, and so many at most", () => {
	const many = Array.from({ length: 400 }, (_, i): KeptQuota => {
		return { key: i.toString(16).padStart(16, "0"), start: 0, seconds: 60, used: 1, told: false };
	});
	const windows = new QuotaWindows(many);
	windows.began([quota()], 10);
	expect(windows.kept).toHaveLength(257);
	windows.began([], 60_010);
	expect(windows.kept).toHaveLength(0);
	expect(windows.status).toEqual([]);
	expect(windows.nextEnd).toBeNull();
});

/** What may happen to a quota; milliseconds pass before each. */
const event = fc.record({
	after: fc.integer({ min: 0, max: 90_000 }),
	what: fc.constantFrom("packet", "look", "restart", "kill", "boot", "reload", "limit"),
});

test("whatever happens, a window never lets by more than its limit, and the next always comes", () => {
	fc.assert(
		fc.property(fc.array(event, { maxLength: 60 }), (events) => {
			let [now, bytes] = [0, 1000];
			// The kernel: bytes of the object, by name; null where there is no table.
			const table: { quota: { bytes: number; used: number } | null } = { quota: null };
			let windows = new QuotaWindows();
			let saved: readonly KeptQuota[] = [];
			const read = () => ({
				used:
					table.quota === null
						? {}
						: { [`q_${key}_${table.quota.bytes}`]: Math.min(table.quota.used, table.quota.bytes) },
				over: {},
			});
			const look = () => {
				windows.take(read(), now);
				const over = windows.over(now);
				if (table.quota !== null && over.length > 0) table.quota.used = 0;
				windows.restarted(over, now);
				saved = windows.kept;
			};
			const apply = () => {
				windows.take(read(), now);
				const [used = 0] = Object.values(windows.used([quota(bytes)], now));
				if (table.quota?.bytes !== bytes) table.quota = { bytes, used: Math.min(used, bytes) };
				windows.began([quota(bytes)], now);
				look();
			};
			apply();
			for (const { after, what } of events) {
				now += after;
				// A daemon looks when a window ends.
				if (what !== "boot" && what !== "kill") look();
				if (what === "packet" && table.quota !== null) {
					const before: number = Math.min(table.quota.used, table.quota.bytes);
					table.quota.used += 100;
					const known = windows.status[0]?.usedBytes ?? 0;
					// What the daemon saw of this window is never forgotten.
					expect(before).toBeGreaterThanOrEqual(Math.min(known, bytes));
				} else if (what === "reload") apply();
				else if (what === "limit") {
					bytes = bytes === 1000 ? 500 : 1000;
					apply();
				} else if (what === "restart" || what === "kill" || what === "boot") {
					if (what === "boot") table.quota = null;
					windows = new QuotaWindows(what === "restart" ? windows.kept : saved);
					apply();
				}
				const end = windows.nextEnd ?? 0;
				expect(end).toBeGreaterThan(now);
				expect(end).toBeLessThanOrEqual(now + 60_000);
			}
		}),
	);
});
