/** Devices as people really have them, each with what is to become of it (test/fixtures/usb-devices.json). */

import { expect, test } from "bun:test";
import { type DeviceDecision, decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { type DevicePosture, DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { parseUsbDescriptors } from "../../../../src/enforcers/usb/observe/descriptors.ts";
import field from "../../../fixtures/usb-devices.json";
import { type Brief, device, entries } from "./sample.ts";

const [AUDIO, CDC, HID, IMAGE, STORAGE, DATA, VENDOR] = [1, 2, 3, 6, 8, 10, 0xff];

interface Case {
	readonly device: string;
	/** As the file has it. */
	readonly policy: string;
	readonly rules: readonly Brief[];
	readonly posture: DevicePosture;
	readonly console?: true;
	readonly outcome: DeviceDecision["device"];
	/** Interfaces that may be used, as "configuration.number". */
	readonly works: readonly string[];
	readonly odd?: true;
}

const cases: readonly Case[] = [
	{
		device: "phone with four configurations",
		policy: "Allow IMAGE, posture block",
		rules: [["Allow", IMAGE]],
		posture: "block",
		outcome: "authorize",
		works: ["1.0", "3.0", "4.0"],
	},
	{
		device: "gigabit network adapter",
		policy: "Allow COMMUNICATION-CDC and CDC-DATA, posture block",
		rules: [
			["Allow", CDC],
			["Allow", DATA],
		],
		posture: "block",
		outcome: "authorize",
		works: ["2.0", "2.1"],
	},
	{
		device: "keyboard whose configuration is cut off",
		policy: "Block MASS-STORAGE",
		rules: [["Block", STORAGE]],
		posture: "audit",
		outcome: "authorize",
		works: ["1.0"],
		odd: true,
	},
	{
		device: "keyboard whose configuration is cut off",
		policy: "Block MASS-STORAGE",
		rules: [["Block", STORAGE]],
		posture: "audit",
		console: true,
		outcome: "authorize",
		works: ["1.0"],
		odd: true,
	},
	{
		device: "mouse with a rest of zero length",
		policy: "Allow HID, posture block",
		rules: [["Allow", HID]],
		posture: "block",
		outcome: "authorize",
		works: ["1.0", "1.1"],
		odd: true,
	},
	{
		device: "KVM: keyboard, mouse and disk in one",
		policy: "Allow AUDIO, posture block, present at first start",
		rules: [["Allow", AUDIO]],
		posture: "block",
		console: true,
		outcome: "authorize",
		works: ["1.0", "1.1"],
	},
	{
		device: "keyboard in one configuration, disk in the other",
		policy: "Block MASS-STORAGE",
		rules: [["Block", STORAGE]],
		posture: "audit",
		outcome: "authorize",
		works: ["1.0"],
	},
	{
		device: "card reader that hides behind the vendor class",
		policy: "Block MASS-STORAGE",
		rules: [["Block", STORAGE]],
		posture: "audit",
		outcome: "authorize",
		works: ["1.0"],
	},
	{
		device: "card reader that hides behind the vendor class",
		policy: "Block VENDOR-SPECIFIC",
		rules: [["Block", VENDOR]],
		posture: "audit",
		outcome: "refuse",
		works: [],
	},
];

test.each(cases.map((item) => [item.device, item.policy, item] as const))("%s: %s", (name, policy, item) => {
	const found = field.find((entry) => entry.name === name);
	expect(Object.keys(found?.expect ?? {})).toContain(policy);
	const descriptors = parseUsbDescriptors(Buffer.from(found?.descriptors ?? "", "hex"));
	const ruleset = new DeviceRuleset(entries(...item.rules), item.posture);
	const options = { mode: "apply", consoleKeyboard: item.console === true } as const;
	const decision = decideDevice(ruleset, { ...device("00"), descriptors }, options);
	const works = decision.interfaces.filter(({ permitted }) => permitted);
	expect(decision.device).toBe(item.outcome);
	expect(works.map(({ configuration, number }) => `${configuration}.${number}`)).toEqual([...item.works]);
	expect(decision.odd.length > 0).toBe(item.odd === true);
	expect(decision.malformed).toBeNull();
});

test("every device and every expectation of the file is here", () => {
	const all = field.flatMap(({ name, expect: wanted }) =>
		Object.keys(wanted).map((policy) => `${name}: ${policy}`),
	);
	expect(new Set(cases.map((item) => `${item.device}: ${item.policy}`))).toEqual(new Set(all));
});
