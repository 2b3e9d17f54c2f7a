import { describe, expect, test } from "bun:test";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import {
	allowedForATime,
	asItIs,
	interfacesRefusedFor,
	refusedFor,
} from "../../../../src/enforcers/usb/compile/overlay.ts";
import { DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { type Brief, device, entries } from "./sample.ts";

const badUsb = device("00|08:06:50 03:01:01");
const decide = (...rules: Brief[]) =>
	decideDevice(new DeviceRuleset(entries(...rules), "block"), badUsb, {
		mode: "apply",
		consoleKeyboard: false,
	});
const withheld = (decision: ReturnType<typeof decide>) => decision.functions.map((item) => item.withheld);

test("a permission for a time lets everything through, and says what the policies think", () => {
	const allowed = allowedForATime(decide(["Block", null]));
	expect(allowed).toMatchObject({
		device: "authorize",
		state: "authorized",
		exemption: "allowed-for-a-time",
	});
	expect(withheld(allowed)).toEqual([null, null]);
	expect(allowed.functions.map(({ verdict }) => verdict.action)).toEqual(["Block", "Block"]);
	expect(allowed.interfaces.every(({ permitted }) => permitted)).toBe(true);
});

describe("a refusal from outside", () => {
	test("of the device leaves the policies' own refusals their reason", () => {
		expect(withheld(refusedFor(decide(["Block", 3]), "somebody-else"))).toEqual(["somebody-else", "verdict"]);
		const refused = decide(["Block", null]);
		expect(refusedFor(refused, "somebody-else")).toBe(refused);
	});

	test("of interfaces is told of these alone, also where configurations share a function", () => {
		const phone = device("00|06:01:01|06:01:01 03:01:01");
		const options = { mode: "apply", consoleKeyboard: false } as const;
		const decision = decideDevice(new DeviceRuleset([], "block"), phone, options);
		const refused = interfacesRefusedFor(
			decision,
			"somebody-else",
			(value, number) => value === 2 && number === 0,
		);
		expect(refused.state).toBe("partial");
		expect(refused.functions.map((item) => [item.configurations, item.interface, item.withheld])).toEqual([
			[[1], 0, null],
			[[2], 0, "somebody-else"],
			[[2], 1, null],
		]);
		expect(interfacesRefusedFor(decision, "somebody-else", () => false)).toBe(decision);
	});

	test("by a lock without policies is a Block of the lock's", () => {
		const shown = {
			authorized: true,
			interfaces: [
				{ configuration: 1, number: 0, authorized: true },
				{ configuration: 1, number: 1, authorized: false },
			],
		};
		const decision = decide();
		expect(asItIs(decision, { ...shown, authorized: false }, "no-policies")).toMatchObject({
			state: "refused",
			functions: [{ verdict: { action: "Block", source: "lock" } }, { withheld: "no-policies" }],
		});
		expect(withheld(asItIs(decision, shown, "kernel-default"))).toEqual([null, "kernel-default"]);
		expect(asItIs(decision, { ...shown, interfaces: [] }, "kernel-default")).toBe(decision);
	});
});
