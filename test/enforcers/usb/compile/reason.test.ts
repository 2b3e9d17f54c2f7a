import { expect, test } from "bun:test";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import {
	decisionReason,
	functionPlace,
	withheldReason,
} from "../../../../src/enforcers/usb/compile/reason.ts";
import { DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { type Brief, device, entries } from "./sample.ts";

const told = (text: string, rules: Brief[], malformed?: string) => {
	const subject = device(text, malformed === undefined ? {} : { malformed });
	const decision = decideDevice(new DeviceRuleset(entries(...rules), "block"), subject, {
		mode: "apply",
		consoleKeyboard: false,
	});
	const lines = decision.functions.map(
		(judged) => `${functionPlace(judged)}: ${withheldReason(judged, decision.malformed)}`,
	);
	return [decisionReason(decision), ...lines];
};

test("every refusal is told with its place and its reason", () => {
	expect(told("00|ff:01:01>03:01:01|08:06:50", [["Block", 3]])).toEqual([
		null,
		"configuration 1, interface 0: refused with another altsetting of its interface",
		"configuration 1, interface 0, altsetting 1: refused by the policy",
		"configuration 2, interface 0: ",
	]);
	expect(told("00|08:06:50|08:06:50", [["Allow", 3]])).toEqual([
		"no permitted interface",
		"configurations 1, 2, interface 0: refused: no permitted function (no entry allows it, and the posture is block)",
	]);
	expect(told("ff|08:06:50", [["Block", 0xff]])).toEqual([
		"the policies refuse the device's own class",
		"device: refused by the policy",
		"configuration 1, interface 0: refused with its device, by the device's own class",
	]);
	expect(told("00|08:06:50", [["Block", 3]], "two readings")).toEqual([
		"malformed descriptors: two readings",
		"configuration 1, interface 0: malformed descriptors: two readings",
	]);
});
