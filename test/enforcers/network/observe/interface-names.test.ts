import { expect, test } from "bun:test";
import { InterfaceNames } from "../../../../src/enforcers/network/observe/interface-names.ts";

test("names are cached for a while, renames are seen after it, the last name outlives its interface", () => {
	let now = 0;
	let lookups = 0;
	const kernel = new Map([[2, "eth0"]]);
	const names = new InterfaceNames(
		(index) => {
			lookups++;
			return kernel.get(index) ?? null;
		},
		() => now,
	);
	expect([names.name(2), names.name(2), names.name(9)]).toEqual(["eth0", "eth0", ""]);
	expect(lookups).toBe(2);
	kernel.set(2, "lan0");
	now = 1999;
	expect(names.name(2)).toBe("eth0");
	now = 2000;
	expect(names.name(2)).toBe("lan0");
	kernel.clear();
	now = 4000;
	expect(names.name(2)).toBe("lan0");
	kernel.set(9, "tap9");
	expect(names.name(9)).toBe("tap9");
});

test("endless indexes do not grow the cache for ever", () => {
	let lookups = 0;
	const names = new InterfaceNames(
		(index) => {
			lookups++;
			return `if${index}`;
		},
		() => 0,
	);
	for (let index = 0; index < 5000; index++) expect(names.name(index)).toBe(`if${index}`);
	names.name(0);
	expect(lookups).toBe(5001);
});
