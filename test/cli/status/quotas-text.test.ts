import { expect, test } from "bun:test";
import { describeQuota, quotaLines, type ToldQuota } from "../../../src/cli/status/quotas-text.ts";

const quota: ToldQuota = {
	policy: "backup",
	direction: "egress",
	index: 2,
	action: "Block",
	staged: false,
	limit: "10GB",
	usedBytes: 1_234_567,
	exhausted: false,
	beyond: { packets: 0, bytes: 0 },
	windowEnd: "2026-12-01T00:00:00.000Z",
};

test("what came beyond a quota was blocked, or only came", () => {
	const used = "egress[2]: 1,234,567 bytes of 10GB used, until 2026-12-01T00:00:00.000Z";
	expect(describeQuota(quota)).toBe(used);
	const over = { ...quota, exhausted: true, beyond: { packets: 1_500, bytes: 90_000 } };
	expect(describeQuota(over)).toBe(`${used}; it is used up, and blocked 1,500 packets (90,000 bytes)`);
	const told = { ...over, action: "Audit", staged: true, beyond: { packets: 1, bytes: 60 } } as const;
	expect(describeQuota(told)).toBe(`${used}; it is used up, and 1 packet (60 bytes) came beyond it`);
});

test("those that are used up come first, then those that used most, and no more than people read", () => {
	const many = Array.from({ length: 22 }, (_, index) => ({ ...quota, index, usedBytes: index }));
	const lines = quotaLines([...many, { ...quota, index: 99, usedBytes: 0, exhausted: true }]);
	expect(lines).toHaveLength(21);
	expect(lines[0]).toStartWith("quota of backup egress[99]: ");
	expect(lines[1]).toStartWith("quota of backup egress[21]: 21 bytes");
	expect(lines.at(-1)).toBe("3 more quotas");
	expect(quotaLines([])).toEqual([]);
});
