import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { latestMatches, RuleUses } from "../../../../src/enforcers/network/report/rule-use.ts";

const rule = (id: string, index = 0) => ({
	id,
	policy: "web",
	index,
	direction: "ingress" as const,
	action: "Allow" as const,
	counter: `c_${id}`,
});
const a = [rule("a")];
const at = (packets: number) => ({ c_a: { packets, bytes: 0 } });
const times = ({ latest }: RuleUses) => latest.map(({ since, lastMatch }) => [since, lastMatch]);

describe("a rule", () => {
	test("has matched at the reading that finds its counter risen", () => {
		const uses = new RuleUses();
		expect(uses.take(a, at(0), 100)).toBe(true);
		expect(times(uses)).toEqual([[100, null]]);
		expect(uses.take(a, at(2), 200)).toBe(true);
		expect(uses.take(a, at(2), 300)).toBe(false);
		expect(times(uses)).toEqual([[100, 200]]);
		expect(uses.latest).toMatchObject([{ policy: "web", index: 0, packets: 2 }]);
	});

	test("that nobody knew has not matched by what the kernel had counted before", () => {
		const uses = new RuleUses();
		uses.found(at(7));
		uses.take([], {}, 50);
		uses.take(a, at(7), 100);
		expect(times(uses)).toEqual([[100, null]]);
		uses.take(a, at(8), 200);
		expect(times(uses)).toEqual([[100, 200]]);
	});

	test("that comes later has matched by its first packets", () => {
		const uses = new RuleUses();
		uses.found(at(7));
		uses.take([rule("b")], {}, 100);
		uses.take(a, at(7), 200);
		expect(times(uses)).toEqual([[200, 200]]);
	});

	test("whose counter began anew has matched only if it counted since", () => {
		const uses = new RuleUses([{ id: "a", since: 10, last: 20, packets: 9 }]);
		uses.take(a, at(0), 100);
		expect(times(uses)).toEqual([[10, 20]]);
		uses.take(a, at(3), 200);
		expect(times(uses)).toEqual([[10, 200]]);
		uses.take(a, at(1), 300);
		expect(times(uses)).toEqual([[10, 300]]);
	});

	test("that matched while no daemon ran has matched at its start", () => {
		const uses = new RuleUses([{ id: "a", since: 10, last: 20, packets: 9 }]);
		uses.take(a, at(10), 100);
		expect(times(uses)).toEqual([[10, 100]]);
	});

	test("that leaves and comes back is the same", () => {
		const uses = new RuleUses();
		uses.take(a, at(1), 100);
		uses.take([rule("b")], {}, 200);
		expect(uses.latest.map(({ since }) => since)).toEqual([200]);
		uses.take(a, at(1), 300);
		expect(times(uses)).toEqual([[100, 100]]);
	});

	test("has no time that has not come, however the clock jumps", () => {
		const uses = new RuleUses();
		uses.take(a, at(1), 9_000);
		uses.take(a, at(1), 500);
		expect(times(uses)).toEqual([[500, 500]]);
	});
});

test("the posture is no rule", () => {
	const uses = new RuleUses();
	uses.take([rule("p", -1)], {}, 1);
	expect([uses.latest, uses.kept]).toEqual([[], []]);
});

test("what is kept makes the same again, and rules that went long ago are forgotten", () => {
	const uses = new RuleUses();
	const old = Array.from({ length: 20_100 }, (_, index) => rule(`o${index}`));
	uses.take(old, {}, 1);
	uses.take(a, at(1), 2);
	const { kept } = uses;
	expect(kept).toHaveLength(20_001);
	expect(kept[0]?.id).toBe("a");
	const again = new RuleUses(kept.toReversed());
	again.take(a, at(1), 3);
	expect(times(again)).toEqual([[2, 2]]);
});

test("of any readings, the last match is the last one with another counter that is not zero", () => {
	fc.assert(
		fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1 }), (readings) => {
			const uses = new RuleUses();
			let expected: number | null = null;
			for (const [index, packets] of readings.entries()) {
				const now = 100 + index;
				uses.take(a, at(packets), now);
				if (packets !== (readings[index - 1] ?? 0) && packets > 0) expected = now;
			}
			expect(times(uses)).toEqual([[100, expected]]);
		}),
	);
});

test("rules that share a key are one, as of its latest match", () => {
	const use = { policy: "p", direction: "ingress", index: 0, action: "Allow", packets: 1 } as const;
	const uses = [
		{ ...use, since: 5, lastMatch: null },
		{ ...use, index: 1, since: 3, lastMatch: 9 },
		{ ...use, index: 2, since: 4, lastMatch: 7 },
		{ ...use, policy: "q", since: 8, lastMatch: null },
	];
	expect(latestMatches(uses, ({ policy }) => policy)).toMatchObject([
		{ policy: "p", since: 3, lastMatch: 9 },
		{ policy: "q", since: 8, lastMatch: null },
	]);
});
