import { expect, test } from "bun:test";
import { limitLines } from "../../../src/cli/status/limits-text.ts";
import { sampleLimits } from "../../report/sample-limits.ts";

test("limits that had to refuse most come first, and no more than people read", () => {
	const [limit] = sampleLimits;
	if (limit === undefined) throw new Error("no sample");
	const many = Array.from({ length: 22 }, (_, rule) => ({ ...limit, rule, exceeded: rule }));
	const lines = limitLines(many);
	expect(lines).toHaveLength(21);
	expect(lines[0]).toBe(
		"limit of ssh ingress[21] rateLimit 10/minute (burst 5) from each source (IPv6: each /64): 21 packets beyond it, and 2 of sources without room",
	);
	expect(lines.at(-1)).toBe("2 more limits");
	expect(limitLines([])).toEqual([]);
	expect(limitLines([{ ...limit, exceeded: 1, full: 0 }])[0]).toEndWith(": 1 packet beyond it");
});
