import { expect, test } from "bun:test";
import fc from "fast-check";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { type SeenDevice, seenVerdict } from "../../../../src/enforcers/usb/history/seen-device.ts";
import { simulateDevices } from "../../../../src/enforcers/usb/history/simulate.ts";
import { type Brief, device, entries } from "../compile/sample.ts";

const shapes = ["00 | 08:06:50", "00 | 03:01:01", "00 | 03:01:01 08:06:50", "e0 | e0:01:01"].map(
	(shape, at) => device(shape, { port: `1-${at + 1}` }),
);
const rulesetOf = (briefs: readonly Brief[]) => new DeviceRuleset(entries(...briefs), "block");

function decided(what: (typeof shapes)[number], briefs: readonly Brief[]) {
	return decideDevice(rulesetOf(briefs), what, { mode: "apply", consoleKeyboard: false });
}

function seenUnder(briefs: readonly Brief[], lastSeen = 2): SeenDevice[] {
	return shapes.map((what, at) => ({
		...{ device: what, verdict: seenVerdict(decided(what, briefs)) },
		...{ count: 1, firstSeen: 1, lastSeen: lastSeen + at, present: false },
	}));
}

const briefs = fc.array(
	fc.tuple(
		fc.constantFrom("Allow", "Audit", "Block"),
		fc.constantFrom(3, 8, 0xe0),
	) satisfies fc.Arbitrary<Brief>,
	{ maxLength: 3 },
);

test("what fares otherwise is what two decisions tell apart", () => {
	fc.assert(
		fc.property(briefs, briefs, (before, after) => {
			const found = simulateDevices(seenUnder(before), rulesetOf(after));
			const expected = { wouldBlock: 0, wouldAllow: 0, unchanged: 0 };
			for (const what of shapes) {
				const refused = [before, after].map((policies) => {
					const { interfaces, device: whole } = decided(what, policies);
					return interfaces.map(({ permitted }) => whole === "refuse" || !permitted);
				});
				const [old = [], fresh = []] = refused;
				if (fresh.some((one, at) => one && !old[at])) expected.wouldBlock += 1;
				else if (fresh.some((one, at) => !one && old[at])) expected.wouldAllow += 1;
				else expected.unchanged += 1;
			}
			expect(found).toMatchObject(expected);
			const counted = found.rules.reduce((sum, { count }) => sum + count, 0);
			expect(counted).toBe(found.wouldBlock + found.wouldAllow);
			if (JSON.stringify(before) === JSON.stringify(after)) expect(found.rules).toEqual([]);
		}),
	);
});

test("by the entry that decides, those that block first, each with the device that was there last", () => {
	const { rules } = simulateDevices(seenUnder([["Block", 0xe0]]), rulesetOf([["Block", 8]]));
	expect(
		rules.map(({ change, count, index, example }) => [change, count, index, example.device.port]),
	).toEqual([
		["wouldBlock", 2, 0, "1-3"],
		["wouldAllow", 1, null, "1-4"],
	]);
	const posture = simulateDevices(seenUnder([]), rulesetOf([["Allow", 3]]));
	expect(posture.rules[0]).toMatchObject({ policy: "DefaultPosture", index: null, change: "wouldBlock" });
});
