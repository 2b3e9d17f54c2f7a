import { describe, expect, test } from "bun:test";
import {
	lintConnectTypes,
	lintDeviceSet,
	lintPresentDevices,
} from "../../../../src/enforcers/usb/compile/lint.ts";
import { type DevicePosture, DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { type Brief, device, entries } from "./sample.ts";

const codes = (rules: readonly Brief[], posture: DevicePosture = "block") =>
	lintDeviceSet(new DeviceRuleset(entries(...rules), posture)).map(({ code }) => code);

const both = ["refuses-every-keyboard", "refuses-hardwired"];

describe("lintDeviceSet", () => {
	const sets: [string, Brief[], DevicePosture, string[]][] = [
		["nothing", [], "block", []],
		["a block of storage", [["Block", 8]], "block", []],
		["a block of everything", [["Block", null]], "audit", both],
		[
			"a block of what is plugged in",
			[["Block", null, { connectType: "hotplug" }]],
			"audit",
			[both[0] ?? ""],
		],
		["a block of keyboards", [["Block", 3, { subClass: 1, protocol: 1 }]], "block", [both[0] ?? ""]],
		["an allow-list without keyboards", [["Allow", 8]], "block", both],
		["the same, only audited", [["Allow", 8]], "audit", ["allow-refuses-nothing"]],
		[
			"one keyboard's serial",
			[
				["Block", null],
				["Allow", 3, { serial: ["A"] }],
			],
			"block",
			[both[1] ?? ""],
		],
		[
			"one port",
			[
				["Block", null],
				["Allow", 3, { port: "1-4.*" }],
			],
			"block",
			[both[1] ?? ""],
		],
		[
			"a keyboard that a stricter entry takes back",
			[
				["Block", 3],
				["Allow", 3, { serial: ["A"] }],
				["Block", 3, { serial: ["A"] }],
			],
			"block",
			both,
		],
		[
			"built-in devices let through",
			[
				["Block", null],
				["Allow", 3],
				["Allow", null, { connectType: "hardwired" }],
			],
			"block",
			[],
		],
	];
	test.each(sets)("%s", (_name, rules, posture, expected) => {
		expect(codes(rules, posture)).toEqual(expected);
	});

	test("points at the entry that decides, or at the Allow that brings the posture in", () => {
		const [blocked] = lintDeviceSet(new DeviceRuleset(entries(["Audit", 8], ["Block", 3]), "audit"));
		expect(blocked).toMatchObject({ line: 2, path: "spec.device.matchDevice[1]", severity: "warning" });
		const [posture] = lintDeviceSet(
			new DeviceRuleset(entries(["Audit", 3, { level: 9 }], ["Allow", 8]), "block"),
		);
		expect(posture).toMatchObject({ line: 2, path: "spec.device.matchDevice[1]" });
	});
});

describe("lintPresentDevices", () => {
	test("names the built-in devices that would go", () => {
		const ruleset = new DeviceRuleset(entries(["Block", 0xe0]), "audit");
		const found = lintPresentDevices(ruleset, [
			device("e0:01:01|e0:01:01", { port: "1-7", connectType: "hardwired" }),
			device("e0:01:01|e0:01:01", { port: "1-2" }),
			device("00|03:01:01", { port: "1-3", connectType: "hardwired" }),
			device("00|03:01:01 e0:01:01", { port: "1-8", connectType: "hardwired" }),
		]);
		expect(found.map(({ message }) => message)).toEqual([
			"the selected policies refuse the built-in device on port 1-7",
			"the selected policies refuse a part of the built-in device on port 1-8",
		]);
	});
});

describe("lintConnectTypes", () => {
	test("warns of a Block that asks for a type which no port reports", () => {
		const ruleset = new DeviceRuleset(
			entries(
				["Block", 8, { connectType: "hotplug" }],
				["Allow", 8, { connectType: "hotplug" }],
				["Block", 3, { connectType: "unknown" }],
			),
			"audit",
		);
		expect(lintConnectTypes(ruleset, new Set(["unknown"])).map(({ code, line }) => [code, line])).toEqual([
			["connect-type-never-reported", 1],
		]);
		expect(lintConnectTypes(ruleset, new Set(["hotplug", "unknown"]))).toEqual([]);
		expect(lintConnectTypes(ruleset, new Set())).toEqual([]);
	});
});

test("an allow-list under the audit posture is told to refuse nothing, unless something blocks", () => {
	const codes = (...rules: Brief[]) =>
		lintDeviceSet(new DeviceRuleset(entries(...rules), "audit")).map(({ code }) => code);
	expect(codes(["Allow", 8])).toEqual(["allow-refuses-nothing"]);
	expect(codes(["Allow", 8], ["Block", 2])).toEqual([]);
	expect(codes(["Audit", 8])).toEqual([]);
});
