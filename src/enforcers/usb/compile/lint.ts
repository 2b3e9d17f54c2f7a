/** Warnings about a set of device entries that would lock people out. */

import type { Diagnostic } from "../../../base/diagnostic.ts";
import type { DeviceMatch } from "../model.ts";
import type { UsbDevice, UsbTriple } from "../subject.ts";
import { decideDevice } from "./decide.ts";
import type { DeviceAttributes, SelectedEntry } from "./match.ts";
import type { DeviceRuleset, Verdict } from "./ruleset.ts";

const keyboard: UsbTriple = { class: 3, subClass: 1, protocol: 1 };

/** A class without a meaning, so that only what is said about every class applies. */
const unnamed: UsbTriple = { class: 0xfc, subClass: 0, protocol: 0 };

const nobody: DeviceAttributes = {
	level: 1,
	vendorId: null,
	productId: null,
	serial: null,
	product: null,
	manufacturer: null,
	port: null,
	connectType: "hotplug",
	twin: null,
	descriptorsHash: null,
	classes: new Set(),
};

/** Findings about the set itself, without looking at any device. */
export function lintDeviceSet(ruleset: DeviceRuleset): readonly Diagnostic[] {
	const findings: Diagnostic[] = [];
	const onKeyboard = ruleset.forDevice(nobody).judge(keyboard, { byName: false, posture: true });
	if (onKeyboard.action === "Block" && !admitsSomeKeyboard(ruleset)) {
		const message = "the selected policies refuse every USB keyboard";
		const hint = "allow the one in use: {class: HID, vendorId: ..., productId: ..., action: Allow}";
		findings.push(finding(ruleset, onKeyboard, "refuses-every-keyboard", message, hint));
	}
	const builtIn = ruleset
		.forDevice({ ...nobody, connectType: "hardwired" })
		.judge(unnamed, { byName: false, posture: true });
	if (builtIn.action === "Block") {
		const message = "the selected policies refuse what they do not name, built-in devices included";
		const hint = "add {class: ALL, connectType: hardwired, action: Allow} to let built-in devices work";
		findings.push(finding(ruleset, builtIn, "refuses-hardwired", message, hint));
	}
	return [...findings, ...lintToothless(ruleset)];
}

/** An allow-list that nothing stands against: whatever it does not name passes all the same. */
function lintToothless({ entries, posture }: DeviceRuleset): readonly Diagnostic[] {
	const allow = entries.find(({ entry }) => entry.action === "Allow");
	if (posture !== "audit" || allow === undefined) return [];
	if (entries.some(({ entry }) => entry.action === "Block")) return [];
	const message = "Allow entries refuse nothing: hostDefaultDevicePosture is audit, and no entry blocks";
	const hint = "set hostDefaultDevicePosture: block in the settings, or add {class: ALL, action: Block}";
	return [findingAt(allow, "allow-refuses-nothing", message, hint)];
}

/** Block entries for ports of a type that none of the host's ports reports, which therefore match nothing here. */
export function lintConnectTypes(
	{ entries }: DeviceRuleset,
	reported: ReadonlySet<string>,
): readonly Diagnostic[] {
	if (reported.size === 0) return [];
	const known = [...reported].sort().join(", ");
	return entries.flatMap((item) => {
		const { action, match } = item.entry;
		if (action !== "Block" || match.connectType === null || reported.has(match.connectType)) return [];
		const message = `no port of this host reports the connect type "${match.connectType}", so this Block matches nothing`;
		const hint = `this host's ports report: ${known}; leave connectType out, or name ports instead`;
		return [findingAt(item, "connect-type-never-reported", message, hint)];
	});
}

function findingAt(item: SelectedEntry, code: string, message: string, hint: string): Diagnostic {
	const path = `spec.device.matchDevice[${item.entry.index}]`;
	return { ...item.entry.place, path, severity: "warning", code, message, hint };
}

/** Findings about the devices that are plugged in: built-in ones that would be refused. */
export function lintPresentDevices(
	ruleset: DeviceRuleset,
	devices: readonly UsbDevice[],
): readonly Diagnostic[] {
	return devices
		.filter((device) => device.connectType === "hardwired")
		.flatMap((device) => {
			const decision = decideDevice(ruleset, device, { mode: "apply", consoleKeyboard: false });
			if (decision.state === "authorized") return [];
			const cause = decision.functions.find(({ verdict }) => verdict.action === "Block")?.verdict ?? null;
			const what = decision.state === "partial" ? "refuse a part of" : "refuse";
			const message = `the selected policies ${what} the built-in device on port ${device.port}`;
			const hint = `allow it: {class: ALL, port: "${device.port}", connectType: hardwired, action: Allow}`;
			return [finding(ruleset, cause, "refuses-hardwired", message, hint)];
		});
}

/** Whether some keyboard passes: the broadest one that each entry for keyboards describes is tried. */
function admitsSomeKeyboard(ruleset: DeviceRuleset): boolean {
	return ruleset.entries.some(({ entry: { action, match } }) => {
		if (action === "Block" || (match.class !== null && match.class !== keyboard.class)) return false;
		return witnesses(match).some(
			(device) =>
				ruleset.forDevice(device).judge(keyboard, { byName: false, posture: true }).action !== "Block",
		);
	});
}

/** Devices that meet the conditions of a match and, where it leaves a choice, each of a few values. */
function witnesses(match: DeviceMatch): DeviceAttributes[] {
	const serials: readonly (string | null)[] = match.serial ?? [null];
	return serials.map((serial) => ({
		level: match.level ?? 1,
		vendorId: match.vendorId,
		productId: match.productId,
		serial,
		product: match.product?.[0] ?? null,
		manufacturer: match.manufacturer?.[0] ?? null,
		port: match.port === null ? null : match.port.replaceAll("*", "1").replaceAll("?", "1"),
		connectType: match.connectType ?? "hotplug",
		twin: null,
		descriptorsHash: match.descriptorsHash?.[0] ?? null,
		classes: new Set([keyboard.class]),
	}));
}

/** At the entry that decides, else at the first Allow entry, which is what brings the posture in. */
function finding(
	ruleset: DeviceRuleset,
	verdict: Verdict | null,
	code: string,
	message: string,
	hint: string,
): Diagnostic {
	const cause =
		verdict?.entry ??
		ruleset.entries.find(({ entry }) => entry.action === "Allow") ??
		ruleset.entries.find(({ entry }) => entry.action === "Block");
	const place = cause?.entry.place ?? { file: "", line: 1, column: 1 };
	const path = cause === undefined ? "" : `spec.device.matchDevice[${cause.entry.index}]`;
	return { ...place, path, severity: "warning", code, message, hint };
}
