/**
 * Kernel uevents about USB: `ACTION@DEVPATH`, then KEY=VALUE fields, each ended
 * by NUL (lib/kobject_uevent.c). Pure; nothing here throws, whatever the bytes.
 */

import { parseUsbPort } from "./port.ts";

/** The kernel's own buffer, UEVENT_BUFFER_SIZE, is 2048 bytes, and the path stands before it. */
export const longestUevent = 8192;

/** Fields that are kept; the kernel writes at most 64 (UEVENT_NUM_ENVP). */
const mostFields = 64;

export interface Uevent {
	readonly action: string;
	/** Below /sys, such as `/devices/pci0000:00/0000:00:14.0/usb1/1-4`. */
	readonly devpath: string;
	readonly properties: ReadonlyMap<string, string>;
}

/** Something happened to a USB device or to one of its interfaces. Plain data. */
export interface UsbEvent {
	readonly action: string;
	readonly kind: "device" | "interface";
	/** The device's name without an interface suffix. */
	readonly device: string;
	/** The kernel's address of a device; null for interfaces, and where it was not told. */
	readonly address: { readonly bus: number; readonly number: number } | null;
	/** Grows with every uevent of the kernel, of whatever subsystem; 0 when it was not told. */
	readonly sequence: number;
	/** Whether somebody wrote the `uevent` file, as our own test of the event source does. */
	readonly synthetic: boolean;
	/** How whoever wrote the `uevent` file marked the event; "" where nobody did. */
	readonly mark: string;
	/** Milliseconds since the epoch when it was received. */
	readonly time: number;
}

const decoder = new TextDecoder("latin1");

/** Null for what is no message of the kernel's, messages of udev's among them. */
export function parseUevent(bytes: Uint8Array): Uevent | null {
	if (bytes.length > longestUevent) return null;
	const [head = "", ...fields] = decoder.decode(bytes).split("\0", mostFields + 1);
	const at = head.indexOf("@");
	if (at < 1 || head[at + 1] !== "/") return null;
	const properties = new Map<string, string>();
	for (const field of fields) {
		const equals = field.indexOf("=");
		if (equals > 0) properties.set(field.slice(0, equals), field.slice(equals + 1));
	}
	return { action: head.slice(0, at), devpath: head.slice(at + 1), properties };
}

/** A UUID in text. */
const longestMark = 36;

/** The properties that {@link usbEvent} looks at. */
export const usbProperties = ["SUBSYSTEM", "DEVTYPE", "BUSNUM", "DEVNUM", "SEQNUM", "SYNTH_UUID"] as const;

/** Null for events of other subsystems, and for names that are no USB device's. */
export function usbEvent({ action, devpath, properties }: Uevent, time: number): UsbEvent | null {
	if (properties.get("SUBSYSTEM") !== "usb") return null;
	const type = properties.get("DEVTYPE");
	if (type !== "usb_device" && type !== "usb_interface") return null;
	const port = parseUsbPort(devpath.slice(devpath.lastIndexOf("/") + 1));
	if (port === null) return null;
	const bus = wholeNumber(properties.get("BUSNUM"));
	const number = wholeNumber(properties.get("DEVNUM"));
	return {
		action,
		kind: type === "usb_device" ? "device" : "interface",
		device: port.device,
		address: type === "usb_interface" || bus === null || number === null ? null : { bus, number },
		sequence: wholeNumber(properties.get("SEQNUM")) ?? 0,
		synthetic: properties.has("SYNTH_UUID"),
		mark: properties.get("SYNTH_UUID")?.slice(0, longestMark) ?? "",
		time,
	};
}

function wholeNumber(text: string | undefined): number | null {
	return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}
