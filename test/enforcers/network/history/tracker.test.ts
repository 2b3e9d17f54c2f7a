import { expect, test } from "bun:test";
import fc from "fast-check";
import { flowWords } from "../../../../src/enforcers/network/history/flow-words.ts";
import { Tracker } from "../../../../src/enforcers/network/history/tracker.ts";

const lifeMs = 300_000;
const pollMs = 10_000;

function keyOf(number: number): Uint32Array {
	const key = new Uint32Array(flowWords);
	key[2] = number;
	return key;
}

/** A tracker, and what it gave out so far by key. */
function setUp() {
	const tracker = new Tracker(3);
	const given = new Map<number, number>();
	const settle = (generation = 1) => {
		const open: { row: number; number: number }[] = [];
		const take = (key: Uint32Array, _: number, count: number) =>
			void given.set(key[2] ?? 0, (given.get(key[2] ?? 0) ?? 0) + count);
		tracker.settle(generation, 100, take, (key, row) => open.push({ row, number: key[2] ?? 0 }));
		for (const { row } of open) tracker.decide(row, generation, 7);
		tracker.settle(generation, 100, take, () => {});
		return open.map(({ number }) => number);
	};
	const look = (time: number, elements: readonly { number: number; count: number; last: number }[]) => {
		tracker.begin();
		for (const { number, count, last } of elements)
			tracker.take(keyOf(number), { count, lastPacket: last, forgottenAt: last + lifeMs }, () => 0);
		return tracker.end(time);
	};
	return { tracker, given, settle, look };
}

test("elements that come, grow, are missed by dumps, repeated by them, and end are counted once", () => {
	const step = fc.record({
		/** Which of four elements get packets. */
		packets: fc.array(
			fc.record({ number: fc.integer({ min: 1, max: 4 }), count: fc.integer({ min: 1, max: 3 }) }),
			{
				maxLength: 4,
			},
		),
		missed: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
		repeated: fc.boolean(),
		/** Long enough for the kernel to forget all. */
		pause: fc.constantFrom(false, false, true),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
			const { given, settle, look } = setUp();
			const kernel = new Map<number, { count: number; last: number }>();
			const truth = new Map<number, number>();
			let time = 0;
			for (const { packets, missed, repeated, pause } of steps) {
				for (const { number, count } of packets) {
					kernel.set(number, { count: (kernel.get(number)?.count ?? 0) + count, last: time });
					truth.set(number, (truth.get(number) ?? 0) + count);
				}
				const seen = [...kernel].flatMap(([number, { count, last }]) => ({ number, count, last }));
				const dump = seen.filter(({ number }) => !missed.includes(number) || pause);
				look(time, repeated ? [...dump, ...dump] : dump);
				settle();
				time += pollMs;
				if (!pause) continue;
				kernel.clear();
				time += lifeMs;
				look(time, []);
			}
			look(
				time,
				[...kernel].map(([number, { count, last }]) => ({ number, count, last })),
			);
			settle();
			for (const [number, count] of truth) expect([number, given.get(number)]).toEqual([number, count]);
		}),
	);
});

test("an element that was forgotten and made anew with as many packets is new", () => {
	const { given, settle, look } = setUp();
	look(0, [{ number: 1, count: 2, last: 0 }]);
	settle();
	look(lifeMs - 1, [{ number: 1, count: 2, last: 0 }]);
	look(lifeMs + pollMs, [{ number: 1, count: 2, last: lifeMs + pollMs }]);
	settle();
	expect(given.get(1)).toBe(4);
});

test("what an earlier process counted is not counted again", () => {
	const { tracker, given, settle } = setUp();
	tracker.begin();
	tracker.take(keyOf(1), { count: 9, lastPacket: 0, forgottenAt: lifeMs }, () => 8);
	tracker.take(keyOf(2), { count: 9, lastPacket: 0, forgottenAt: lifeMs }, () => 9);
	expect(tracker.end(0)).toBe(0);
	expect(settle()).toEqual([1]);
	expect(given).toEqual(new Map([[1, 1]]));
});

test("a verdict is asked for once for each ruleset, and what nobody judged is lost with its element", () => {
	const { tracker, settle, look } = setUp();
	look(0, [{ number: 1, count: 1, last: 0 }]);
	expect(settle(1)).toEqual([1]);
	look(1, [{ number: 1, count: 2, last: 1 }]);
	expect(settle(1)).toEqual([]);
	look(2, [{ number: 1, count: 3, last: 2 }]);
	expect(settle(2)).toEqual([1]);
	look(3, [{ number: 1, count: 7, last: 3 }]);
	expect(tracker.size).toBe(1);
	expect(look(lifeMs + 3, [])).toBe(4);
	expect(tracker.size).toBe(0);
});

test("no more is asked at a time than is allowed", () => {
	const { tracker, look } = setUp();
	look(
		0,
		[1, 2, 3].map((number) => ({ number, count: 1, last: 0 })),
	);
	const asked: number[] = [];
	tracker.settle(
		1,
		2,
		() => {},
		(key) => asked.push(key[2] ?? 0),
	);
	expect(asked).toEqual([1, 2]);
});
