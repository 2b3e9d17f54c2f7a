import { expect, test } from "bun:test";
import { untilTick } from "../../src/base/tick.ts";

test("looks of one period fall together, whenever each began", () => {
	for (const now of [3, 4999, 5001, 7000.25, 9998])
		expect((now + untilTick(now, 10_000)) % 10_000).toBeLessThan(1);
	expect((12_345 + untilTick(12_345, 30_000)) % 10_000).toBe(0);
});

test("a timer that fired early does not fire again at once, and none waits for long", () => {
	expect(untilTick(9_999.4, 10_000)).toBe(10_001);
	expect(untilTick(10_000, 10_000)).toBe(10_000);
	for (let now = 0; now < 30_000; now += 37.5) {
		const wait = untilTick(now, 10_000);
		expect(wait).toBeGreaterThanOrEqual(5_000);
		expect(wait).toBeLessThanOrEqual(15_001);
	}
});
