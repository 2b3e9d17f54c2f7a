import { describe, expect, test } from "bun:test";
import { isBootKeyboard } from "../../../../src/enforcers/usb/compile/decide.ts";
import { badUsb, decide, HID, keyboard, mouse, STORAGE, storage, told } from "./decide-cases.ts";
import { device } from "./sample.ts";

describe("decideDevice", () => {
	test("an interface that is refused in one configuration is not refused in another for that", () => {
		const { state, interfaces } = decide(device("00|08:06:50 08:06:50|08:06:50 03:01:01"), [["Block", HID]]);
		expect(state).toBe("partial");
		expect(
			interfaces.map(({ configuration, number, permitted }) => [configuration, number, permitted]),
		).toEqual([
			[1, 0, true],
			[1, 1, true],
			[2, 0, true],
			[2, 1, false],
		]);
	});

	test("functions that configurations repeat are told once", () => {
		expect(decide(device("00|08:06:50|08:06:50 03:01:01"), []).functions).toHaveLength(2);
	});

	test("a CDC data interface alone is not useful", () => {
		expect(decide(device("02|02:02:01 0a:00:00"), [["Block", 2, { subClass: 2 }]])).toMatchObject({
			device: "refuse",
			refusal: "no-interface-left",
		});
	});

	test("a device triple without a name meets the posture", () => {
		expect(told(device("ff:01:01|03:01:01"), [["Allow", HID]])).toBe(
			"refused: device ff Block posture refused, 0 03 Allow entry refused",
		);
	});

	test("a hub that is a keyboard too is judged for the keyboard", () => {
		expect(told(device("09:00:00|03:01:01"), [["Block", null]])).toBe("refused: 0 03 Block entry refused");
	});

	test("the audit of present devices refuses nothing and says so", () => {
		const options = { mode: "audit", consoleKeyboard: false } as const;
		expect(decide(badUsb, [["Block", HID]], "block", options)).toMatchObject({
			device: "authorize",
			state: "authorized",
			exemption: "present-audit",
			interfaces: [{ permitted: true }, { permitted: true }],
			functions: [{}, { verdict: { action: "Block" }, withheld: null }],
		});
		expect(decide(storage, [["Block", HID]], "block", options).exemption).toBeNull();
	});

	test("the console keyboard is spared unless an entry names HID", () => {
		const options = { mode: "apply", consoleKeyboard: true } as const;
		expect(decide(keyboard, [["Block", null]], "block", options).exemption).toBe("console-keyboard");
		expect(decide(keyboard, [["Allow", STORAGE]], "block", options).state).toBe("authorized");
		expect(
			decide(
				keyboard,
				[
					["Block", null],
					["Block", HID, { level: 9 }],
				],
				"block",
				options,
			).state,
		).toBe("refused");
		expect(decide(mouse, [["Block", null]], "block", options).state).toBe("refused");
	});

	test("of a composite console keyboard the HID interfaces are spared, and the rest is judged", () => {
		const options = { mode: "apply", consoleKeyboard: true } as const;
		const kvm = device("00|03:01:01 03:00:00 08:06:50");
		const spared = decide(kvm, [["Allow", 1]], "block", options);
		expect(spared).toMatchObject({ device: "authorize", state: "partial", exemption: "console-keyboard" });
		expect(spared.interfaces.map(({ permitted }) => permitted)).toEqual([true, true, false]);
		expect(spared.functions.map(({ withheld }) => withheld)).toEqual([null, null, "verdict"]);
		// Nothing is spared where the keyboard would pass by itself, and nothing of an interface that is HID only at times.
		expect(decide(kvm, [["Block", STORAGE]], "block", options)).toMatchObject({
			exemption: null,
			state: "partial",
		});
		const hidden = device("00|03:01:01 ff:00:00>03:00:00");
		expect(
			decide(hidden, [["Block", null]], "block", options).interfaces.map((item) => item.permitted),
		).toEqual([true, false]);
		// A device that is refused by its own class keeps its keyboard.
		expect(decide(device("ff|03:01:01 ff:00:00"), [["Allow", 1]], "block", options)).toMatchObject({
			device: "authorize",
			interfaces: [{ permitted: true }, { permitted: false }],
		});
		expect(decide(device("00|03:01:01", { malformed: "cut" }), [["Block", 8]], "block", options).state).toBe(
			"refused",
		);
	});

	test("a boot keyboard may have other functions, but not descriptors that can be read in two ways", () => {
		expect(isBootKeyboard(device("00|03:01:01 03:00:00"))).toBe(true);
		expect(isBootKeyboard(device("00|08:06:50|08:06:50 03:01:01"))).toBe(true);
		expect(isBootKeyboard(device("00|03:01:02"))).toBe(false);
		expect(isBootKeyboard(device("00|03:01:01", { malformed: "cut" }))).toBe(false);
	});

	test("a configuration of which nothing useful is left works not at all, and the others do", () => {
		const phone = device("00|02:02:01 0a:00:00|06:01:01");
		const { state, interfaces, functions } = decide(phone, [
			["Allow", 6],
			["Allow", 0x0a],
		]);
		expect([state, interfaces.map(({ permitted }) => permitted)]).toEqual(["partial", [false, false, true]]);
		expect(functions.map(({ withheld }) => withheld)).toEqual(["verdict", "configuration", null]);
	});

	test("the override is explained", () => {
		const [only] = decide(keyboard, [
			["Block", null],
			["Allow", HID],
			["Allow", HID],
		]).functions;
		expect(only?.verdict.entry?.entry.index).toBe(1);
		expect(
			only?.verdict.overridden.map(({ item, reason, by }) => [item.entry.index, reason, by.entry.index]),
		).toEqual([
			[2, "same", 1],
			[0, "carved", 1],
		]);
	});
});
