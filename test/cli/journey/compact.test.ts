import { expect, test } from "bun:test";
import fc from "fast-check";
import { compactAge, compactNumber, hanging } from "../../../src/cli/journey/compact.ts";

test.each([
	[0, "0"],
	[99_999, "99999"],
	[100_000, "100k"],
	[999_999, "999k"],
	[1_250_000, "1.2M"],
	[25_000_000_000, "25G"],
	[1e13, "10T"],
])("%d is %s", (value, text) => {
	expect(compactNumber(value)).toBe(text);
});

test.each([
	[-5000, "now"],
	[999, "now"],
	[59_999, "59s"],
	[60_000, "1m"],
	[3_600_000, "1h"],
	[47 * 3_600_000, "47h"],
	[48 * 3_600_000, "2d"],
	[1e15, "9999d"],
])("%d ms ago is %s", (ms, text) => {
	expect(compactAge(ms)).toBe(text);
});

test("no number and no age is wider than its column", () => {
	fc.assert(
		fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (value) => {
			expect(compactNumber(value).length).toBeLessThanOrEqual(6);
			expect(compactAge(value).length).toBeLessThanOrEqual(5);
		}),
	);
});

test("text is broken between words, and within those that are too long", () => {
	expect(hanging("12  ", "one two three", 12)).toBe("12  one two\n    three\n");
	expect(hanging("12  ", "a".repeat(20), 14)).toBe(`12  ${"a".repeat(10)}\n    ${"a".repeat(10)}\n`);
	expect(hanging("12  ", "", 12)).toBe("12  \n");
});

test("no line is too long, and nothing is lost", () => {
	const word = fc.string({ minLength: 1, unit: fc.constantFrom("a", "b", "→") });
	fc.assert(
		fc.property(fc.array(word), fc.integer({ min: 20, max: 80 }), (words, width) => {
			const lines = hanging("  1  ", words.join(" "), width).trimEnd().split("\n");
			for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
			expect(
				lines
					.map((line) => line.slice(5))
					.join("")
					.replaceAll(" ", ""),
			).toBe(words.join(""));
		}),
	);
});
