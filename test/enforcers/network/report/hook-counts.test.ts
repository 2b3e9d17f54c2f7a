import { expect, test } from "bun:test";
import fc from "fast-check";
import { HookCounts } from "../../../../src/enforcers/network/report/hook-counts.ts";

const count = (packets: number) => ({ packets, bytes: 100 * packets });

test("the forwarded part is what the kernel counted", () => {
	const counts = new HookCounts();
	expect(counts.take([{ id: "a", all: count(7), forwarded: count(3) }]).get("a")).toEqual(count(3));
	expect(counts.take([{ id: "b", all: count(1), forwarded: count(0) }]).get("b")).toEqual(count(0));
});

test("counters that began anew begin anew", () => {
	const counts = new HookCounts();
	counts.take([{ id: "a", all: count(7), forwarded: count(3) }]);
	expect(counts.take([{ id: "a", all: count(2), forwarded: count(2) }]).get("a")).toEqual(count(2));
});

test("neither part falls and both make the whole, whatever comes between two reads", () => {
	const steps = fc.array(fc.record({ own: fc.nat(9), forwarded: fc.nat(9), between: fc.nat(5) }));
	fc.assert(
		fc.property(steps, (given) => {
			const counts = new HookCounts();
			let [own, forwarded] = [0, 0];
			let last = { own: 0, forwarded: 0 };
			for (const step of given) {
				own += step.own;
				forwarded += step.forwarded;
				// Packets that are forwarded after the rule's own counter was read.
				const all = count(own + forwarded);
				forwarded += step.between;
				const part = counts.take([{ id: "a", all, forwarded: count(forwarded) }]).get("a");
				const now = { own: all.packets - (part?.packets ?? 0), forwarded: part?.packets ?? 0 };
				expect(now.own).toBeGreaterThanOrEqual(last.own);
				expect(now.forwarded).toBeGreaterThanOrEqual(last.forwarded);
				expect(now.forwarded).toBeLessThanOrEqual(forwarded);
				last = now;
			}
		}),
	);
});
