/** The published device policies, from their text to what becomes of devices. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { NodeReader } from "../../../../src/document/nodes.ts";
import { Lines, parseSyntax } from "../../../../src/document/syntax.ts";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { DeviceRuleset, selectEntries } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { parseUsbDescriptors } from "../../../../src/enforcers/usb/observe/descriptors.ts";
import { bytesOf, samples } from "../../../fixtures/usb-descriptors.ts";
import { validateHostPolicy } from "../support/host-policy.ts";
import { device } from "./sample.ts";

function outcome(name: string, sample: keyof typeof samples): string {
	const path = join(import.meta.dir, "../../../fixtures/kubearmor-device", `${name}.yaml`);
	const source = readFileSync(path, "utf8");
	const { contents } = parseSyntax(source);
	if (contents === null) throw new Error("no contents");
	const policy = validateHostPolicy(
		new NodeReader(path, new Lines({ source, firstLine: 1 }), contents),
		contents,
	);
	if (policy === null) throw new Error("no policy");
	const ruleset = new DeviceRuleset(selectEntries([policy]), "audit");
	const subject = { ...device("00"), descriptors: parseUsbDescriptors(bytesOf(samples[sample])) };
	const { state, functions } = decideDevice(ruleset, subject, { mode: "apply", consoleKeyboard: false });
	const verdicts = functions.map(({ verdict }) => `${verdict.action} ${verdict.source}`);
	return `${state}: ${[...new Set(verdicts)].join(", ")}`;
}

const blog = "kubearmor.io__blog_2025-10-23-KubeArmor-USB-Enforcement_index_";

describe("published policies on real descriptors", () => {
	test.each([
		["ISSUE__KubeArmor-pr2172-audit-all", "keyboard", "authorized: Audit entry"],
		["ISSUE__KubeArmor-pr2172-audit-all", "webcam", "authorized: Audit entry"],
		["ISSUE__KubeArmor-pr2172-audit-all", "hub", "authorized: Audit unmatched"],
		["ISSUE__KubeArmor-pr2172-audit-mass-storage", "uasStick", "authorized: Audit entry"],
		["ISSUE__KubeArmor-pr2172-audit-mass-storage", "mouse", "authorized: Audit unmatched"],
		["ISSUE__KubeArmor-pr2194-block-class8", "uasStick", "refused: Block entry"],
		["ISSUE__KubeArmor-pr2194-block-class8", "badUsb", "partial: Block entry, Audit unmatched"],
		["ISSUE__KubeArmor-pr2194-block-class8", "printer", "partial: Audit unmatched, Block entry"],
		["KubeArmor__getting-started_usb_device_handler_0", "keyboard", "partial: Block entry, Audit unmatched"],
		["KubeArmor__getting-started_usb_device_handler_0", "mouse", "authorized: Audit unmatched"],
		["KubeArmor__getting-started_usb_device_handler_0", "badUsb", "partial: Audit unmatched, Block entry"],
		[`${blog}1`, "twoConfigurations", "partial: Block entry, Audit unmatched"],
		[`${blog}2`, "securityKey", "partial: Block entry, Audit unmatched"],
		[`${blog}5`, "bluetooth", "authorized: Allow entry"],
	] as const)("%s: %s", (name, sample, expected) => {
		expect(outcome(name, sample)).toBe(expected);
	});
});
