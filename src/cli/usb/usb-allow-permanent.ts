/** A permission for good: a policy file of its own that names the device. */

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../config/model.ts";
import { decideDevice } from "../../enforcers/usb/compile/decide.ts";
import { decisionReason } from "../../enforcers/usb/compile/reason.ts";
import { DeviceRuleset, selectEntries } from "../../enforcers/usb/compile/ruleset.ts";
import { devicePart } from "../../enforcers/usb/model.ts";
import { presentDevices } from "../../enforcers/usb/observe/present.ts";
import type { UsbDevice } from "../../enforcers/usb/subject.ts";
import { parsePolicyFile } from "../../engine/parse.ts";
import { readPolicySet } from "../../engine/policy-set.ts";
import { errorText } from "../status/client.ts";
import { policyFor, policyName } from "./usb-generate-policy.ts";

/** What was written, or why nothing was. */
export type Permanent =
	| { readonly ok: true; readonly message: string; readonly values: { readonly file: string } }
	| { readonly ok: false; readonly message: string };

/**
 * Writes the policy where the daemon reads its own, which then takes it up. Nothing is written where it would not let
 * the device in, or would refuse others that pass now.
 */
export function allowForGood(config: Config, port: string, root: string): Permanent {
	const no = (message: string): Permanent => ({ ok: false, message });
	const present = presentDevices(root);
	const device = present?.find((item) => item.device.port === port)?.device;
	if (device === undefined) return no(`there is no device on port ${port}`);
	if (device.descriptors.malformed !== null)
		return no(`its descriptors can be read in two ways: ${device.descriptors.malformed}`);
	const by = `write one with portward usb generate-policy ${port}`;
	if (config.policySignature === "required")
		return no(`policies must be signed, and this command has no key; ${by}, and sign it`);
	if (config.confirm === "required")
		return no(`changes of policies must be confirmed; ${by}, and enforce it with portward apply`);
	const text = policyFor(device);
	const file = join(config.policyDir, `${policyName(device)}.yaml`);
	const effect = foresee(config, text, file, device, present?.map((item) => item.device) ?? []);
	if (effect !== null) return no(`${effect}; ${by}, and see what it does with portward plan`);
	try {
		writeWhole(file, text);
	} catch (error) {
		return no(`${file} cannot be written: ${errorText(error)}`);
	}
	return {
		ok: true,
		message: `${file} allows the device on port ${port} for good; remove the file to end it`,
		values: { file },
	};
}

/** Why the policy would not do what is asked, or would do more; null when it is right. */
function foresee(
	config: Config,
	text: string,
	file: string,
	device: UsbDevice,
	others: readonly UsbDevice[],
): string | null {
	const { selected, policies: all } = readPolicySet([config.policyDir], config);
	const selectedDevices = devicePart.of(selected);
	const own = devicePart.in(parsePolicyFile(file, text).documents);
	if (own.length === 0) return "this device has no function that an entry could allow";
	const { hostDefaultDevicePosture: posture, enforcement } = config;
	const ruleset = (policies: typeof selectedDevices) =>
		new DeviceRuleset(selectEntries(policies), posture, enforcement);
	const before = ruleset(selectedDevices);
	const [first] = own;
	const taken = devicePart.all(all).find(({ name, place }) => name === first?.name && place.file !== file);
	if (taken !== undefined) return `${taken.place.file} has a policy of this name already, ${taken.name}`;
	const rest = selectedDevices.filter(({ name }) => name !== first?.name);
	const after = ruleset([...rest, ...own]);
	const options = { mode: "apply", consoleKeyboard: false } as const;
	const decision = decideDevice(after, device, options);
	if (decision.state !== "authorized") {
		const entry = decision.functions.find(({ withheld }) => withheld !== null)?.verdict.entry;
		const why = entry
			? `${entry.policy} matchDevice[${entry.entry.index}] is stricter`
			: decisionReason(decision);
		return `the device would be ${decision.state} all the same (${why ?? "the policies refuse a part of it"})`;
	}
	if (!before.allowlistMode && posture === "block")
		return "this would be the first Allow entry, and with hostDefaultDevicePosture: block everything that no entry names is refused from then on";
	const worse = others.find(
		(other) =>
			decideDevice(before, other, options).state === "authorized" &&
			decideDevice(after, other, options).state !== "authorized",
	);
	return worse === undefined ? null : `the device on port ${worse.port} would be refused`;
}

/** Whole or not at all: whoever reads the directory meets no half of a file. */
function writeWhole(file: string, text: string): void {
	const staged = `${file}.${randomBytes(6).toString("hex")}.new`;
	const descriptor = openSync(staged, "wx", 0o644);
	try {
		try {
			writeSync(descriptor, text);
			fsyncSync(descriptor);
		} finally {
			closeSync(descriptor);
		}
		renameSync(staged, file);
	} catch (error) {
		rmSync(staged, { force: true });
		throw error;
	}
}
