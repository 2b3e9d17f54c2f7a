import { expect, test } from "bun:test";
import { describeUnused, lastMatchText, spanText, unusedRules } from "../../src/report/rule-use.ts";

const day = 86_400_000;
const now = Date.parse("2026-11-30T12:00:00Z");
const ago = (days: number) => new Date(now - days * day).toISOString();
const rule = (index: number, since: number, last: number | null) => ({
	direction: "ingress" as const,
	index,
	since: ago(since),
	lastMatch: last === null ? null : ago(last),
});

test.each([
	[-5, "a moment"],
	[59_999, "a moment"],
	[60_000, "1 minute"],
	[7_199_999, "1 hour"],
	[2 * day - 1, "1 day"],
	[30 * day, "30 days"],
])("%d ms is %s", (ms, text) => {
	expect(spanText(ms)).toBe(text);
});

test("the last match of a policy is that of its rules", () => {
	expect(lastMatchText([rule(0, 9, 5), rule(1, 9, 3), rule(2, 9, null)], now)).toBe("3 days ago");
	expect(lastMatchText([rule(0, 9, null)], now)).toBeNull();
	expect(lastMatchText([], now)).toBeNull();
});

test("rules that match nothing for long are told, the longest first", () => {
	const rules = [
		rule(0, 40, 0.5),
		rule(1, 30, null),
		rule(2, 30.2, null),
		rule(3, 90, 12),
		rule(4, 0.9, null),
	];
	const groups = unusedRules(rules, now);
	expect(groups.map(describeUnused)).toEqual([
		"unused for 30 days, as long as it is counted: ingress[1], ingress[2]",
		"unused for 12 days: ingress[3]",
	]);
});

test("many rules are counted, not named", () => {
	const rules = Array.from({ length: 8 }, (_, index) => rule(index, 2, null));
	expect(unusedRules(rules, now).map(describeUnused)[0]).toEndWith("ingress[4] and 3 more");
});

test("a time that is none says nothing", () => {
	expect(unusedRules([{ ...rule(0, 3, null), since: "soon" }], now)).toEqual([]);
});
