/** KubeArmor's alert about one function of a USB device. Pure. */

import { escapeForTerminal } from "../../../base/terminal.ts";
import type { Alert } from "../../../report/alert.ts";
import { auditedBlock, formatData, formatTime, type HostIdentity } from "../../../report/alert.ts";
import { usbClassName } from "../class.ts";
import type { DeviceDecision, JudgedFunction } from "../compile/decide.ts";
import { exemptionReason, withheldReason } from "../compile/reason.ts";
import type { PresentDevice } from "../observe/devices.ts";
import type { UsbTriple } from "../subject.ts";

export interface DeviceAlertInput {
	/** Milliseconds since the epoch. */
	readonly time: number;
	readonly present: PresentDevice;
	readonly judged: JudgedFunction;
	/** The decision that `judged` is part of. */
	readonly decision: Pick<DeviceDecision, "exemption" | "malformed" | "odd">;
	/** Milliseconds since the epoch until when the device is allowed whatever the policies say; null when it is not. */
	readonly allowedUntil: number | null;
	/** What is staged that would refuse it, if it is that which is told; none where it is the posture alone. */
	readonly staged?: readonly string[];
	/** The device is gone: the alert says so, and which verdict it had. */
	readonly removed: boolean;
}

/** UTF-16 units of a device's string that an alert carries; the kernel passes on 126 at most. */
const longestString = 256;

/** One alert for one judged function. */
export function deviceAlert(input: DeviceAlertInput, host: HostIdentity): Alert {
	const { time, present, judged, decision, allowedUntil, removed, staged } = input;
	const { verdict } = judged;
	const entry = verdict.entry?.entry;
	const eventData = deviceEventData(present, judged, decision, staged);
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
		Message: message(entry?.message ?? "", judged, decision, allowedUntil),
		Type:
			verdict.source === "unmatched" || verdict.source === "lock" || removed
				? "HostLog"
				: "MatchedHostPolicy",
		Operation: "Device",
		Resource: `USB ${usbClassName(judged.triple.class)}`,
		Data: formatData({ Class, SubClass, Protocol, Level, SysPath }),
		EventData: eventData,
		Enforcer: "USBDeviceHandler",
		Action: staged === undefined ? verdict.action : auditedBlock,
		Result: removed ? "Removed" : judged.withheld !== null ? "Permission denied" : "Passed",
	};
}

function policyName(source: JudgedFunction["verdict"]["source"], policy: string | undefined): string {
	if (source === "posture") return "DefaultPosture";
	return policy ?? "";
}

type Told = DeviceAlertInput["decision"];

/** The entry's own words, then what they leave open: why something passes or fails against what the action says. */
function message(own: string, judged: JudgedFunction, decision: Told, allowedUntil: number | null): string {
	const parts = own === "" ? [] : [own];
	const { verdict, withheld } = judged;
	if (withheld !== null && (withheld !== "verdict" || verdict.source !== "entry"))
		parts.push(withheldReason(judged, decision.malformed));
	if (withheld === null && allowedUntil !== null)
		parts.push(`allowed until ${new Date(allowedUntil).toISOString()}, whatever the policies say`);
	else if (withheld === null && verdict.action === "Block" && decision.exemption !== null)
		parts.push(exemptionReason(decision.exemption));
	if (decision.malformed !== null && withheld !== "malformed")
		parts.push(`malformed descriptors: ${decision.malformed}`);
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
function deviceEventData(
	present: PresentDevice,
	judged: JudgedFunction,
	decision: Told,
	staged: DeviceAlertInput["staged"],
): DeviceEventData {
	const { device, sysPath } = present;
	const data: Record<string, string> = {};
	if (judged.interface !== null) data.Interface = String(judged.interface);
	if (judged.verdict.wouldBe !== undefined) data.WouldBe = judged.verdict.wouldBe;
	// Without a policy it is the posture that is staged.
	if (staged !== undefined) data.Staged = staged.join(",") || "stagedDevicePosture";
	if (judged.configurations.length > 0) data.Configuration = judged.configurations.join(",");
	if (judged.alternate !== null) data.Altsetting = String(judged.alternate);
	if (judged.withheld !== null) data.Reason = withheldReason(judged, decision.malformed);
	if (decision.odd.length > 0) data.Descriptors = decision.odd.join("; ");
	return {
		...tripleData(judged.triple),
		Level: String(device.level),
		SysPath: sysPath,
		...deviceNames(present),
		...data,
	};
}

/** Which device it is: port, ids, and what it says of itself, bounded and escaped. */
export function deviceNames({ device }: PresentDevice): Readonly<Record<string, string>> {
	const { vendorId, productId } = device.descriptors;
	const names: Record<string, string> = {
		VendorID: hex(vendorId),
		ProductID: hex(productId),
		Port: device.port,
	};
	if (device.serial !== null) names.Serial = shown(device.serial);
	if (device.product !== null) names.Product = shown(device.product);
	if (device.manufacturer !== null) names.Manufacturer = shown(device.manufacturer);
	return names;
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
