import { describe, expect, test } from "bun:test";
import { type DeviceQuery, explainDevice } from "../../../../src/enforcers/usb/compile/explain.ts";
import { type DevicePosture, DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { type Brief, entries } from "./sample.ts";

const blank: DeviceQuery = {
	class: 3,
	subClass: null,
	protocol: null,
	level: null,
	vendorId: null,
	productId: null,
	serial: null,
	product: null,
	manufacturer: null,
	port: null,
	connectType: null,
	twin: null,
	descriptorsHash: null,
	classes: null,
};

function explain(rules: readonly Brief[], query: Partial<DeviceQuery>, posture: DevicePosture = "block") {
	const result = explainDevice(new DeviceRuleset(entries(...rules), posture), { ...blank, ...query });
	return {
		said: `${result.action} ${result.policy}`,
		entry: result.entry?.entry.index ?? null,
		overridden: result.overridden.map(({ item, reason }) => `${item.entry.index} ${reason}`),
		undecided: result.undecided.map(({ entry }) => entry.index),
	};
}

describe("explainDevice", () => {
	test("names the entry and what it overrode", () => {
		expect(
			explain(
				[
					["Block", null],
					["Allow", 3],
				],
				{},
			),
		).toEqual({
			said: "Allow p",
			entry: 1,
			overridden: ["0 carved"],
			undecided: [],
		});
		expect(
			explain(
				[
					["Allow", 3, { level: 2 }],
					["Block", 3, { subClass: 1 }],
				],
				{ subClass: 1, level: 2 },
			),
		).toMatchObject({ said: "Block p", entry: 1, overridden: ["0 stricter"] });
	});

	test("the posture, nothing at all, and hubs", () => {
		expect(explain([["Allow", 3]], { class: 8 }).said).toBe("Block DefaultPosture");
		expect(explain([["Allow", 3]], { class: 8 }, "audit").said).toBe("Audit DefaultPosture");
		expect(explain([["Block", 3]], { class: 8 }).said).toBe("Audit null");
		expect(
			explain(
				[
					["Allow", 3],
					["Block", null],
				],
				{ class: 9 },
			).said,
		).toBe("Audit null");
		expect(explain([["Block", 9]], { class: 9 }).said).toBe("Block p");
	});

	test("says which entries depend on what was not given", () => {
		const rules: Brief[] = [
			["Block", 3, { subClass: 1 }],
			["Allow", 3],
			["Block", 3, { serial: ["A"], level: 2 }],
			["Block", 8, { serial: ["A"] }],
		];
		expect(explain(rules, {})).toMatchObject({ said: "Allow p", undecided: [0, 2] });
		expect(explain(rules, { level: 1, subClass: 0 }).undecided).toEqual([]);
	});
});
