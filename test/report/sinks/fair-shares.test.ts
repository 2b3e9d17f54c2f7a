import { expect, test } from "bun:test";
import fc from "fast-check";
import { FairStore, LargestFirst } from "../../../src/report/sinks/fair-shares.ts";

test("the key with the highest count is known after every step", () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.boolean())), (steps) => {
			const largest = new LargestFirst<string>();
			const counts = new Map<string, number>();
			for (const [key, add] of steps) {
				const count = counts.get(key) ?? 0;
				if (add) largest.add(key);
				else largest.remove(key);
				counts.set(key, Math.max(0, count + (add ? 1 : -1)));
				const most = Math.max(...counts.values());
				const found = largest.largest(() => 0);
				if (most === 0) expect(found).toBeUndefined();
				else expect(counts.get(found ?? "")).toBe(most);
			}
		}),
	);
});

test("of more owners than there is room for the busy ones give way to the quiet", () => {
	const store = new FairStore<{ owner: string; part: string }>(20);
	store.add({ owner: "quiet", part: "" });
	for (let index = 0; index < 100_000; index++) {
		store.add({ owner: `busy${index % 50}`, part: "" });
		if (index % 10_000 === 0) expect(store.values().some(({ owner }) => owner === "quiet")).toBe(true);
	}
	expect(store.size).toBe(20);
	expect(store.values().filter(({ owner }) => owner === "quiet")).toHaveLength(1);
});
