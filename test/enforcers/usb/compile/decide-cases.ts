/** Devices and short answers for the tests of decisions. */

import { type DecideOptions, decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { type DevicePosture, DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import type { UsbDevice } from "../../../../src/enforcers/usb/subject.ts";
import { type Brief, device, entries } from "./sample.ts";

export const apply: DecideOptions = { mode: "apply", consoleKeyboard: false };

export function decide(
	subject: UsbDevice,
	rules: readonly Brief[],
	posture: DevicePosture = "block",
	options = apply,
) {
	return decideDevice(new DeviceRuleset(entries(...rules), posture), subject, options);
}

/** "partial: 0 03:01:01 Block entry refused, …" */
export function told(subject: UsbDevice, rules: readonly Brief[], posture?: DevicePosture): string {
	const { state, functions } = decide(subject, rules, posture);
	const lines = functions.map(({ interface: number, triple, verdict, withheld }) => {
		const code = triple.class.toString(16).padStart(2, "0");
		return `${number ?? "device"} ${code} ${verdict.action} ${verdict.source}${withheld === null ? "" : " refused"}`;
	});
	return `${state}: ${lines.join(", ")}`;
}

export const keyboard = device("00|03:01:01");
export const mouse = device("00|03:01:02");
export const storage = device("00|08:06:50");
export const badUsb = device("00|08:06:50 03:01:01");
export const webcam = device("ef:02:01|0e:01:01 0e:02:01>0e:02:01>0e:02:01 01:01:00");
export const hub = device("09:00:01|09:00:01>09:00:02");
export const rootHub = device("09:00:01|09:00:00", { port: "usb1", level: 0 });
export const bluetooth = device("e0:01:01|e0:01:01 e0:01:01 fe:01:01");

export const HID = 3;
export const STORAGE = 8;
export const HUB = 9;
