import { describe, expect, test } from "bun:test";
import {
	type DecideOptions,
	decideDevice,
	isBootKeyboard,
} from "../../../../src/enforcers/usb/compile/decide.ts";
import { type DevicePosture, DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import type { UsbDevice } from "../../../../src/enforcers/usb/subject.ts";
import { type Brief, device, entries } from "./sample.ts";

const apply: DecideOptions = { mode: "apply", consoleKeyboard: false };

function decide(
	subject: UsbDevice,
	rules: readonly Brief[],
	posture: DevicePosture = "block",
	options = apply,
) {
	return decideDevice(new DeviceRuleset(entries(...rules), posture), subject, options);
}

/** "partial: 0 03:01:01 Block entry refused, …" */
function told(subject: UsbDevice, rules: readonly Brief[], posture?: DevicePosture): string {
	const { state, functions } = decide(subject, rules, posture);
	const lines = functions.map(({ interface: number, triple, verdict, withheld }) => {
		const code = triple.class.toString(16).padStart(2, "0");
		return `${number ?? "device"} ${code} ${verdict.action} ${verdict.source}${withheld === null ? "" : " refused"}`;
	});
	return `${state}: ${lines.join(", ")}`;
}

const keyboard = device("00|03:01:01");
const mouse = device("00|03:01:02");
const storage = device("00|08:06:50");
const badUsb = device("00|08:06:50 03:01:01");
const webcam = device("ef:02:01|0e:01:01 0e:02:01>0e:02:01>0e:02:01 01:01:00");
const hub = device("09:00:01|09:00:01>09:00:02");
const rootHub = device("09:00:01|09:00:00", { port: "usb1", level: 0 });
const bluetooth = device("e0:01:01|e0:01:01 e0:01:01 fe:01:01");

const HID = 3;
const STORAGE = 8;
const HUB = 9;

describe("vectors", () => {
	const vectors: readonly [string, UsbDevice, readonly Brief[], DevicePosture, string][] = [
		[
			"V1",
			keyboard,
			[["Block", HID, { subClass: 1, protocol: 1 }]],
			"block",
			"refused: 0 03 Block entry refused",
		],
		[
			"V2",
			keyboard,
			[["Block", HID, { subClass: 1, protocol: 2 }]],
			"block",
			"authorized: 0 03 Audit unmatched",
		],
		[
			"V3",
			mouse,
			[
				["Allow", HID],
				["Block", HID, { subClass: 1, protocol: 1 }],
			],
			"block",
			"authorized: 0 03 Allow entry",
		],
		[
			"V4",
			keyboard,
			[
				["Allow", HID],
				["Block", HID, { subClass: 1, protocol: 1 }],
			],
			"block",
			"refused: 0 03 Block entry refused",
		],
		[
			"V5: overlap, the strictest wins",
			device("00|03:01:01", { port: "1-1.1", level: 2 }),
			[
				["Allow", HID, { level: 2 }],
				["Block", HID, { subClass: 1, protocol: 1 }],
			],
			"block",
			"refused: 0 03 Block entry refused",
		],
		[
			"V6",
			keyboard,
			[
				["Allow", HID, { subClass: 1, protocol: 1 }],
				["Block", HID, { subClass: 1, protocol: 1 }],
			],
			"block",
			"refused: 0 03 Block entry refused",
		],
		[
			"V7",
			keyboard,
			[
				["Block", null],
				["Allow", HID],
			],
			"block",
			"authorized: 0 03 Allow entry",
		],
		[
			"V7 the other way",
			keyboard,
			[
				["Allow", HID],
				["Block", null],
			],
			"block",
			"authorized: 0 03 Allow entry",
		],
		["V8", storage, [["Allow", STORAGE]], "block", "authorized: 0 08 Allow entry"],
		["V9", badUsb, [["Allow", STORAGE]], "block", "partial: 0 08 Allow entry, 1 03 Block posture refused"],
		[
			"V12: the second altsetting",
			device("00|08:06:50>08:06:62"),
			[["Block", STORAGE, { subClass: 6, protocol: 0x62 }]],
			"block",
			"refused: 0 08 Audit unmatched refused, 0 08 Block entry refused",
		],
		[
			"V12: the first altsetting",
			device("00|08:06:50>08:06:62"),
			[["Block", STORAGE, { subClass: 6, protocol: 80 }]],
			"block",
			"refused: 0 08 Block entry refused, 0 08 Audit unmatched refused",
		],
		[
			"V13: hidden in an altsetting",
			device("00|ff:01:01>03:01:01"),
			[["Allow", 0xff]],
			"block",
			"refused: 0 ff Allow entry refused, 0 03 Block posture refused",
		],
		[
			"V14: hidden in a configuration",
			device("00|08:06:50|03:01:01"),
			[["Block", HID]],
			"block",
			"partial: 0 08 Audit unmatched, 0 03 Block entry refused",
		],
		[
			"V15: made of allowed classes",
			webcam,
			[
				["Allow", 0x0e],
				["Allow", 1],
			],
			"block",
			"authorized: 0 0e Allow entry, 1 0e Allow entry, 2 01 Allow entry",
		],
		[
			"V15: the marker answers to its name",
			webcam,
			[
				["Allow", 0x0e],
				["Allow", 1],
				["Block", 0xef],
			],
			"block",
			"refused: device ef Block entry refused, 0 0e Allow entry refused, 1 0e Allow entry refused, 2 01 Allow entry refused",
		],
		[
			"V15: the marker does not answer to ALL",
			webcam,
			[
				["Allow", 0x0e],
				["Allow", 1],
				["Block", null],
			],
			"audit",
			"authorized: 0 0e Allow entry, 1 0e Allow entry, 2 01 Allow entry",
		],
		[
			"V16: a hub passes",
			hub,
			[["Allow", HID]],
			"block",
			"authorized: 0 09 Audit unmatched, 0 09 Audit unmatched",
		],
		[
			"V16: what is behind a hub is judged itself",
			device("00|03:01:01", { port: "1-1.1", level: 2 }),
			[["Allow", HID]],
			"block",
			"authorized: 0 03 Allow entry",
		],
		[
			"V16: ALL names no hub",
			hub,
			[["Block", null]],
			"block",
			"authorized: 0 09 Audit unmatched, 0 09 Audit unmatched",
		],
		[
			"V16: HUB does",
			hub,
			[["Block", HUB]],
			"block",
			"refused: device 09 Block entry refused, 0 09 Block entry refused, 0 09 Block entry refused",
		],
		[
			"V17: HUB on a root hub",
			rootHub,
			[["Block", HUB]],
			"block",
			"authorized: device 09 Block entry, 0 09 Block entry",
		],
		["V17: ALL on a root hub", rootHub, [["Block", null]], "block", "authorized: 0 09 Audit unmatched"],
		[
			"V17: level 1 is no root hub",
			rootHub,
			[["Block", HUB, { level: 1 }]],
			"block",
			"authorized: 0 09 Audit unmatched",
		],
		[
			"V18",
			bluetooth,
			[["Block", 0xe0]],
			"block",
			"refused: device e0 Block entry refused, 0 e0 Block entry refused, 1 e0 Block entry refused, 2 fe Audit unmatched refused",
		],
		[
			"V18: allowed but for firmware updates",
			bluetooth,
			[["Allow", 0xe0]],
			"block",
			"partial: device e0 Allow entry, 0 e0 Allow entry, 1 e0 Allow entry, 2 fe Block posture refused",
		],
		[
			"V19",
			device("ff:ff:ff|03:01:01"),
			[["Block", HID]],
			"block",
			"refused: device ff Audit unmatched refused, 0 03 Block entry refused",
		],
		[
			"V20",
			device("00|07:01:02 08:06:50 ff:ff:ff"),
			[["Block", STORAGE]],
			"block",
			"partial: 0 07 Audit unmatched, 1 08 Block entry refused, 2 ff Audit unmatched",
		],
		["V22", keyboard, [["Block", HID, { subClass: 0 }]], "block", "authorized: 0 03 Audit unmatched"],
		[
			"V22",
			device("00|03:00:00"),
			[["Block", HID, { subClass: 0 }]],
			"block",
			"refused: 0 03 Block entry refused",
		],
		["V26", device("00|"), [["Allow", HID]], "block", "refused: device 00 Block posture refused"],
		[
			"V26 without an allow-list",
			device("00|"),
			[["Block", HID]],
			"block",
			"authorized: device 00 Audit unmatched",
		],
		["V26 under ALL", device("00|"), [["Block", null]], "block", "refused: device 00 Block entry refused"],
		[
			"V27",
			device("00|03:01:01 03:00:00 0b:00:00"),
			[
				["Allow", 0x0b],
				["Block", HID, { subClass: 1, protocol: 1 }],
			],
			"audit",
			"partial: 0 03 Block entry refused, 1 03 Audit posture, 2 0b Allow entry",
		],
	];
	test.each(vectors)("%s", (_name, subject, rules, posture, expected) => {
		expect(told(subject, rules, posture)).toBe(expected);
	});

	test("V24: a malformed descriptor stays blocked where something can block", () => {
		const broken = device("00|08:06:50", { malformed: "cut" });
		expect(decide(broken, [["Block", HID]])).toMatchObject({
			device: "refuse",
			refusal: "malformed",
			malformed: "cut",
			interfaces: [{ permitted: false }],
		});
		expect(decide(broken, [["Allow", STORAGE]], "block").refusal).toBe("malformed");
		expect(decide(broken, [["Allow", STORAGE]], "audit")).toMatchObject({
			device: "authorize",
			malformed: "cut",
		});
		expect(decide(broken, [["Audit", null]])).toMatchObject({ device: "authorize", refusal: null });
	});
});

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
