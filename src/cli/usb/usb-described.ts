/** A device that is only described: by a file with its descriptors, and by what the command line adds. */

import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { descriptorLimits, parseUsbDescriptors } from "../../enforcers/usb/observe/descriptors.ts";
import type { UsbDevice } from "../../enforcers/usb/subject.ts";
import { errorText } from "../status/client.ts";

/** What descriptors do not say. */
export interface Described {
	readonly level: number | null;
	readonly serial: string | null;
	readonly product: string | null;
	readonly manufacturer: string | null;
	readonly port: string | null;
	readonly connectType: UsbDevice["connectType"] | null;
}

type Read =
	| { readonly ok: true; readonly bytes: Uint8Array }
	| { readonly ok: false; readonly message: string };

/** Two digits a byte, with spaces, in place of the bytes themselves. */
const longestText = 3 * descriptorLimits.bytes;

/** Reads a copy of a device's `descriptors` file of sysfs: as it is, or in hexadecimal. */
export function readDescriptors(path: string): Read {
	try {
		const stats = statSync(path);
		if (!stats.isFile()) return { ok: false, message: `${path} is no file` };
		if (stats.size > longestText) return { ok: false, message: `${path} is larger than any descriptors` };
		const bytes = readFileSync(path);
		const text = bytes.toString("latin1");
		// Descriptors start with their length, 0x12, which is no digit.
		if (/^[0-9a-f\s]+$/i.test(text)) return { ok: true, bytes: Buffer.from(text.replace(/\s/g, ""), "hex") };
		return { ok: true, bytes };
	} catch (error) {
		return { ok: false, message: `${path} cannot be read: ${errorText(error)}` };
	}
}

/** A device with these descriptors. Where nothing is said of its place, it is on a root port. */
export function describedDevice(bytes: Uint8Array, described: Described): UsbDevice {
	const { level, port, connectType, serial, product, manufacturer } = described;
	return {
		port: port ?? "1-1",
		level: level ?? 1,
		serial,
		product,
		manufacturer,
		connectType: connectType ?? "unknown",
		twin: null,
		descriptorsHash: createHash("sha256").update(bytes).digest("hex"),
		descriptors: parseUsbDescriptors(bytes),
	};
}
