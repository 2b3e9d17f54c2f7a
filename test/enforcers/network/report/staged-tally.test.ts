import { expect, test } from "bun:test";
import type { StagedPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import { StagedTally } from "../../../../src/enforcers/network/report/staged-tally.ts";

const rule = {
	policy: "a",
	index: 0,
	direction: "egress",
	action: "Audit",
	severity: 1,
	tags: [],
	message: "",
	place: null,
	logCounter: null,
} as const;

function plan(...policies: readonly (readonly [name: string, meaning: string])[]): StagedPlan {
	return {
		roots: {},
		rules: policies.map(([name, meaning]) => ({
			...rule,
			id: `${name}${meaning}`,
			counter: `c_${name}${meaning}`,
		})),
		policies: policies.map(([name, meaning]) => ({
			name,
			meaning,
			evaluated: ["e"],
			rules: [`${name}${meaning}`],
		})),
		enforced: { objects: 0, elements: 0 },
	};
}

const counters = (packets: Readonly<Record<string, number>>) =>
	Object.fromEntries(Object.entries(packets).map(([name, count]) => [name, { packets: count, bytes: 0 }]));

test("increments are added up since a policy is staged as it is", () => {
	let now = Date.parse("2026-11-30T00:00:00Z");
	const tally = new StagedTally(() => now);
	tally.found(counters({ e: 5, c_a1: 2 }));
	const one = plan(["a", "1"]);
	tally.began(one, 3);
	tally.take(one, counters({ e: 9, c_a1: 3 }));
	const since = "2026-11-30T00:00:00.000Z";
	expect(tally.counts.get("a")).toMatchObject({ evaluated: 4, wouldBlock: 1, sinceGeneration: 3, since });
	// Another generation of the same, and counters that began anew.
	now += 1000;
	tally.began(one, 4);
	tally.take(one, counters({ e: 2, c_a1: 1 }));
	expect(tally.counts.get("a")).toMatchObject({ evaluated: 6, wouldBlock: 2, sinceGeneration: 3, since });
	const other = plan(["a", "2"], ["b", "1"]);
	tally.began(other, 5);
	tally.take(other, counters({ e: 3, c_b1: 1 }));
	expect(tally.counts.get("a")).toMatchObject({ evaluated: 1, wouldBlock: 0, sinceGeneration: 5 });
	expect(tally.counts.get("b")).toMatchObject({ evaluated: 1, wouldBlock: 1, sinceGeneration: 5 });
	tally.began(undefined, 6);
	tally.take(undefined, counters({}));
	expect([...tally.counts]).toEqual([]);
});
