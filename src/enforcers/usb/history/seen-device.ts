/**
 * The USB devices that came, added up: what looks the same to a policy is one record. `usb history` shows it,
 * `recommend usb` and `simulate` read it. Every string of a device is its own word, and hostile.
 */

import type { Action } from "../../../base/model.ts";
import { postureName } from "../../../base/model.ts";
import { usbClassName } from "../class.ts";
import type { DeviceDecision, JudgedFunction } from "../compile/decide.ts";
import { decisionReason, withheldReason } from "../compile/reason.ts";
import type { UsbDevice, UsbTriple } from "../subject.ts";

/** What was decided about one function when the device last came, or when that last changed. */
export interface SeenFunction extends UsbTriple {
	/** bInterfaceNumber and the first bAlternateSetting that shows it; null for the device's own class. */
	readonly interface: number | null;
	readonly alternate: number | null;
	/** bConfigurationValue of every configuration that has it; none for the device's own class. */
	readonly configurations: readonly number[];
	readonly action: Action;
	/** The policy that decided, `DefaultPosture` where none did, null where nothing spoke. */
	readonly policy: string | null;
	readonly refused: boolean;
	/** Why it is refused, in words; "" when it is not. */
	readonly reason: string;
}

/** What was decided about a device. */
export interface SeenVerdict {
	readonly state: DeviceDecision["state"];
	/** Why the device as a whole is refused, or what spares it, in words; null when neither. */
	readonly reason: string | null;
	readonly functions: readonly SeenFunction[];
}

export interface SeenDevice {
	/** As it described itself, whole: what judges devices, and what writes policies for them, takes it as it is. */
	readonly device: UsbDevice;
	readonly verdict: SeenVerdict;
	/** How often it was plugged in, or there when the host or portward's watch began; at least 1. */
	readonly count: number;
	/** Milliseconds since the epoch; the first is never after the last. Of a device that is there now the last is now. */
	readonly firstSeen: number;
	readonly lastSeen: number;
	/** Whether it is there now. */
	readonly present: boolean;
}

export interface SeenDevices {
	/** When watching began, or the time that the reader asked for; milliseconds since the epoch. */
	readonly since: number;
	/** Those that were seen last come first. Hubs are in, root hubs are not. */
	readonly devices: readonly SeenDevice[];
	/** Devices of which nothing is kept but that they were, as there were too many. */
	readonly lost: number;
}

/** A device as `usb history --json` and `/v1/usb/history` give it. */
export interface SeenDeviceJson {
	readonly vendorId: string;
	readonly productId: string;
	readonly manufacturer: string | null;
	readonly product: string | null;
	readonly serial: string | null;
	readonly port: string;
	readonly level: number;
	readonly connectType: string;
	readonly descriptorsHash: string | null;
	readonly malformed: string | null;
	readonly state: SeenVerdict["state"];
	readonly reason: string | null;
	readonly functions: readonly (SeenFunction & { readonly className: string })[];
	readonly count: number;
	readonly firstSeen: string;
	readonly lastSeen: string;
	readonly present: boolean;
}

export interface SeenDevicesJson {
	readonly since: string;
	readonly devices: readonly SeenDeviceJson[];
	readonly lost: number;
}

/** What of a decision is kept. */
export function seenVerdict(decision: DeviceDecision): SeenVerdict {
	return {
		state: decision.state,
		reason: decisionReason(decision),
		functions: decision.functions.map((judged) => seenFunction(judged, decision.malformed)),
	};
}

function seenFunction(judged: JudgedFunction, malformed: string | null): SeenFunction {
	const { triple, verdict, configurations, alternate } = judged;
	return {
		interface: judged.interface,
		alternate,
		configurations,
		...triple,
		action: verdict.action,
		policy: verdict.source === "posture" ? postureName : (verdict.entry?.policy ?? null),
		refused: judged.withheld !== null,
		reason: withheldReason(judged, malformed),
	};
}

/** What was there at `since` or later. */
export function seenSince(seen: SeenDevices, since: number): SeenDevices {
	if (since <= seen.since) return seen;
	return { ...seen, since, devices: seen.devices.filter(({ lastSeen }) => lastSeen >= since) };
}

export function seenDeviceJson(seen: SeenDevice): SeenDeviceJson {
	const { device, verdict, count, firstSeen, lastSeen, present } = seen;
	return {
		vendorId: hex(device.descriptors.vendorId),
		productId: hex(device.descriptors.productId),
		manufacturer: device.manufacturer,
		product: device.product,
		serial: device.serial,
		port: device.port,
		level: device.level,
		connectType: device.connectType,
		descriptorsHash: device.descriptorsHash,
		malformed: device.descriptors.malformed,
		state: verdict.state,
		reason: verdict.reason,
		functions: verdict.functions.map((item) => ({ ...item, className: usbClassName(item.class) })),
		count,
		firstSeen: new Date(firstSeen).toISOString(),
		lastSeen: new Date(lastSeen).toISOString(),
		present,
	};
}

export function seenDevicesJson({ since, devices, lost }: SeenDevices): SeenDevicesJson {
	return { since: new Date(since).toISOString(), devices: devices.map(seenDeviceJson), lost };
}

function hex(id: number): string {
	return id.toString(16).padStart(4, "0");
}
