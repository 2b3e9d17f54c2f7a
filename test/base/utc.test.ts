import { expect, test } from "bun:test";
import { isDay, parseUtc } from "../../src/base/utc.ts";

test.each([
	["2026-11-30T08:00:00Z", "2026-11-30T08:00:00.000Z"],
	["2026-11-30T08:00:00.123456789Z", "2026-11-30T08:00:00.123Z"],
	["2028-02-29T23:59:59.9Z", "2028-02-29T23:59:59.900Z"],
])("%s is a time", (text, time) => {
	expect(new Date(parseUtc(text)).toISOString()).toBe(time);
});

test.each(["", "2026-11-30", "2026-11-30T08:00:00", "2026-11-30T08:00:00+02:00", "2026-11-31T08:00:00Z"])(
	"%p is none",
	(text) => {
		expect(parseUtc(text)).toBeNaN();
	},
);

test("no month has more days than it has", () => {
	for (const day of ["2026-01-31", "2026-02-28", "2028-02-29", "2026-04-30"]) expect(isDay(day)).toBe(true);
	for (const day of ["2026-01-32", "2026-02-29", "2026-02-30", "2026-04-31", "2026-13-01", "2026-01-00"])
		expect(isDay(day)).toBe(false);
});
