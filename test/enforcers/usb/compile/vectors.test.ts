import { describe, expect, test } from "bun:test";
import type { DevicePosture } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import type { UsbDevice } from "../../../../src/enforcers/usb/subject.ts";
import {
	badUsb,
	bluetooth,
	decide,
	HID,
	HUB,
	hub,
	keyboard,
	mouse,
	rootHub,
	STORAGE,
	storage,
	told,
	webcam,
} from "./decide-cases.ts";
import { type Brief, device } from "./sample.ts";

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
