import { expect, test } from "bun:test";
import fc from "fast-check";
import { CarryReceiver, CarrySender } from "../../src/threads/carry.ts";

/** As between two threads. */
const over = <T>(value: T): T => structuredClone(value);
const items = Array.from({ length: 2000 }, (_, id) => ({ id, text: `item ${id}` }));

test("what arrives is what was sent, whatever changes in between", () => {
	const cut = fc.tuple(fc.nat(2000), fc.nat(600), fc.nat(2000));
	fc.assert(
		fc.property(fc.array(cut, { maxLength: 8 }), fc.constantFrom(null, "a/list"), (cuts, json) => {
			const [sender, receiver] = [new CarrySender(json), new CarryReceiver()];
			let list: readonly unknown[] = items;
			for (const [at, count, to] of cuts) {
				const rest = list.toSpliced(at, count);
				list = rest.toSpliced(
					to,
					0,
					...list.slice(at, at + (count >> 1)),
					{ id: -1 - at },
					{ id: -1 - count },
				);
				const value = { a: { list, other: [1, 2], none: null }, name: "x", list: list.slice(at) };
				expect(receiver.unpack(over(sender.pack(value)))).toEqual(value);
			}
		}),
		{ numRuns: 50 },
	);
});

test("only what is new goes over", () => {
	const sender = new CarrySender();
	sender.pack({ items });
	const changed = items.with(700, { id: 700, text: "another" });
	expect(JSON.stringify(sender.pack({ items: changed })).length).toBeLessThan(300);
	expect(JSON.stringify(sender.pack({ items: changed.slice(1) })).length).toBeLessThan(300);
});

test("a sender that begins anew is understood", () => {
	const receiver = new CarryReceiver();
	receiver.unpack(over(new CarrySender().pack({ items })));
	const other = items.toReversed();
	expect(receiver.unpack(over(new CarrySender().pack({ items: other })))).toEqual({ items: other });
});

test("what was not packed is left as it is", () => {
	const value = { items, few: [1], text: "carried:" };
	expect(new CarryReceiver().unpack(value)).toEqual(value);
});

test("what passes through a thread arrives behind it, and is not unpacked there", () => {
	const sender = new CarrySender("/list");
	const [between, last] = [new CarryReceiver("/list"), new CarryReceiver()];
	for (const list of [items, items.slice(3), items.toReversed()]) {
		const value = { a: { list, others: items } };
		const passing = between.unpack(over(sender.pack(value)));
		expect(Array.isArray(passing.a.list)).toBe(false);
		expect(passing.a.others).toEqual(items);
		expect(last.unpack(over({ b: passing.a.list }))).toEqual({ b: list });
	}
});
