/** KubeArmor's alert about one function of a USB device. Pure. */

import type { DeviceDecision, JudgedFunction } from "../compile/usb-decide.ts";
import type { PresentDevice } from "../observe/usb-devices.ts";
import { usbClassName } from "../policy/device-class.ts";
import type { UsbTriple } from "../policy/device-subject.ts";
import type { Alert } from "./alert.ts";
import { formatData, formatTime, type HostIdentity } from "./network-alert.ts";
import { escapeForTerminal } from "./terminal.ts";

export interface DeviceAlertInput {
	/** Milliseconds since the epoch. */
	readonly time: number;
	readonly present: PresentDevice;
	readonly judged: JudgedFunction;
	/** The decision that `judged` is part of. */
	readonly decision: Pick<DeviceDecision, "exemption" | "malformed" | "refusal">;
	/** The device is gone: the alert says so, and which verdict it had. */
	readonly removed: boolean;
}

/** UTF-16 units of a device's string that an alert carries; the kernel passes on 126 at most. */
const longestString = 256;

/** One alert for one judged function. */
export function deviceAlert(input: DeviceAlertInput, host: HostIdentity): Alert {
	const { time, present, judged, decision, removed } = input;
	const { verdict } = judged;
	const entry = verdict.entry?.entry;
	const eventData = deviceEventData(present, judged);
	const { Class, SubClass, Protocol, Level, SysPath } = eventData;
	return {
		Timestamp: Math.floor(time / 1000),
		UpdatedTime: formatTime(time),
		ClusterName: host.clusterName,
		HostName: host.hostName,
		NodeID: host.nodeId,
		PolicyName: policyName(verdict.source, verdict.entry?.policy),
		Severity: String(entry?.severity ?? 1),
		Tags: (entry?.tags ?? []).join(","),
		ATags: entry?.tags ?? [],
		Message: message(entry?.message ?? "", judged, decision),
		Type: verdict.source === "unmatched" || removed ? "HostLog" : "MatchedHostPolicy",
		Operation: "Device",
		Resource: `USB ${usbClassName(judged.triple.class)}`,
		Data: formatData({ Class, SubClass, Protocol, Level, SysPath }),
		EventData: eventData,
		Enforcer: "USBDeviceHandler",
		Action: verdict.action,
		Result: removed ? "Removed" : judged.refused ? "Permission denied" : "Passed",
	};
}

function policyName(source: JudgedFunction["verdict"]["source"], policy: string | undefined): string {
	if (source === "posture") return "DefaultPosture";
	return policy ?? "";
}

const exemptions: Readonly<Record<NonNullable<DeviceDecision["exemption"]>, string>> = {
	"root-hub": "spared: a root hub is never refused",
	"present-audit": "spared: presentDevices is audit, and it was there before portward",
	"console-keyboard": "spared: it is the console's keyboard (protectConsoleKeyboard)",
};

function message(
	own: string,
	judged: JudgedFunction,
	decision: Pick<DeviceDecision, "exemption" | "malformed" | "refusal">,
): string {
	const parts = own === "" ? [] : [own];
	const blocked = judged.verdict.action === "Block";
	if (blocked && decision.exemption !== null) parts.push(exemptions[decision.exemption]);
	if (judged.refused && !blocked) {
		if (decision.refusal === "no-interface-left")
			parts.push("refused with its device: nothing useful is left");
		else if (decision.refusal === "device-triple") parts.push("refused with its device");
	}
	if (decision.malformed !== null) parts.push(`malformed descriptors: ${decision.malformed}`);
	return parts.join("; ");
}

interface DeviceEventData extends Readonly<Record<string, string>> {
	readonly Class: string;
	readonly SubClass: string;
	readonly Protocol: string;
	readonly Level: string;
	readonly SysPath: string;
}

/** A refused device shows no interface directory, so SysPath is the device's and the triple is the interface's. */
function deviceEventData(present: PresentDevice, judged: JudgedFunction): DeviceEventData {
	const { device, sysPath } = present;
	const { vendorId, productId } = device.descriptors;
	const data: Record<string, string> = {};
	if (device.serial !== null) data.Serial = shown(device.serial);
	if (device.product !== null) data.Product = shown(device.product);
	if (device.manufacturer !== null) data.Manufacturer = shown(device.manufacturer);
	if (judged.interface !== null) data.Interface = String(judged.interface);
	if (judged.verdict.wouldBe !== undefined) data.WouldBe = judged.verdict.wouldBe;
	return {
		...tripleData(judged.triple),
		Level: String(device.level),
		SysPath: sysPath,
		VendorID: hex(vendorId),
		ProductID: hex(productId),
		Port: device.port,
		...data,
	};
}

function tripleData(triple: UsbTriple): Record<"Class" | "SubClass" | "Protocol", string> {
	return {
		Class: String(triple.class),
		SubClass: String(triple.subClass),
		Protocol: String(triple.protocol),
	};
}

function hex(id: number): string {
	return id.toString(16).padStart(4, "0");
}

/** Bounded and escaped: the device chose it. */
function shown(text: string): string {
	return escapeForTerminal(text.slice(0, longestString));
}
