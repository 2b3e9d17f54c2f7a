import { expect, test } from "bun:test";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { device, entries } from "./sample.ts";

const options = { mode: "apply", consoleKeyboard: false } as const;

test("with enforcement audit nothing is refused, and what would be says so", () => {
	const list = entries(["Block", 8], ["Allow", 3]);
	const subject = device("00|08:06:50 03:01:01 01:01:00");
	expect(decideDevice(new DeviceRuleset(list, "block"), subject, options).state).toBe("partial");
	const ruleset = new DeviceRuleset(list, "block", "audit");
	expect(ruleset.needsLock).toBe(false);
	const { device: whole, state, functions } = decideDevice(ruleset, subject, options);
	expect([whole, state]).toEqual(["authorize", "authorized"]);
	expect(functions.map(({ verdict, withheld }) => [verdict.action, verdict.wouldBe, withheld])).toEqual([
		["Audit", "Block", null],
		["Allow", undefined, null],
		["Audit", "Block", null],
	]);
});
