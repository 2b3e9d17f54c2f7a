import { expect, test } from "bun:test";
import fc from "fast-check";
import { KeyTable, resized } from "../../../../src/enforcers/network/history/key-table.ts";

const keyOf = (number: number) => new Uint32Array([number, ~number]);

function listed(table: KeyTable): number[] {
	const key = new Uint32Array(2);
	return Array.from({ length: table.size }, (_, number) => {
		table.copy(number, key);
		return key[0] ?? 0;
	});
}

test("what is rebuilt in its place holds what a new table would, and tells where each entry went", () => {
	fc.assert(
		fc.property(
			fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 600 }),
			fc.integer({ min: 1, max: 2000 }),
			fc.integer({ min: 1, max: 50 }),
			fc.integer(),
			(numbers, limit, step, seed) => {
				const table = new KeyTable(2, seed);
				for (const number of numbers) table.add(keyOf(number));
				const before = listed(table);
				expect(before).toEqual([...new Set(numbers)]);
				const went: [number, number, boolean][] = [];
				// Those below the limit stay, of each `step` of them one.
				table.rebuild(
					(key) => {
						const number = key[0] ?? 0;
						key.set(keyOf(number - (number % step)));
						return number < limit;
					},
					(from, to, isNew) => went.push([before[from] ?? -1, to, isNew]),
				);
				const rounded = before.filter((number) => number < limit).map((number) => number - (number % step));
				const after = [...new Set(rounded)];
				expect(listed(table)).toEqual(after);
				expect(went.map(([number, to]) => [number - (number % step), to])).toEqual(
					rounded.map((number) => [number, after.indexOf(number)]),
				);
				expect(went.filter(([, , isNew]) => isNew)).toHaveLength(after.length);
				for (const number of before)
					expect(table.find(keyOf(number))).toBe(after.includes(number) ? after.indexOf(number) : -1);
				// It grows again from what it shrank to.
				for (const number of numbers) table.add(keyOf(number));
				expect(new Set(listed(table))).toEqual(new Set([...after, ...numbers]));
			},
		),
	);
});

test("a table that was large and holds little gives its memory back", () => {
	const table = new KeyTable(2, 1);
	for (let number = 0; number < 10_000; number++) table.add(keyOf(number));
	const full = table.capacity;
	table.rebuild(
		(key) => (key[0] ?? 0) < 100,
		() => {},
	);
	expect([full >= 10_000, table.size, table.capacity < 400]).toEqual([true, 100, true]);
});

test("a column keeps its beginning", () => {
	expect(resized(new Float64Array([1, 2, 3]), 5)).toEqual(new Float64Array([1, 2, 3, 0, 0]));
	expect(resized(new Int32Array([-1, 2, 3]), 1)).toEqual(new Int32Array([-1]));
});
