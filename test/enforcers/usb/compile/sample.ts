/** Devices and entries for the tests, written as briefly as the vectors that they come from. */

import type { Action } from "../../../../src/base/model.ts";
import type { SelectedEntry } from "../../../../src/enforcers/usb/compile/match.ts";
import type { DeviceMatch } from "../../../../src/enforcers/usb/model.ts";
import type { UsbDevice, UsbInterface, UsbTriple } from "../../../../src/enforcers/usb/subject.ts";
import { anything } from "../support/shapes.ts";

function triple(text: string): UsbTriple {
	const [code = 0, subClass = 0, protocol = 0] = text.split(":").map((part) => Number.parseInt(part, 16));
	return { class: code, subClass, protocol };
}

/** "08:06:50>08:06:62 03:01:01": interfaces 0 and 1, the first with two altsettings. */
function interfaces(text: string): UsbInterface[] {
	return text
		.split(" ")
		.filter((part) => part !== "")
		.flatMap((part, number) =>
			part.split(">").map((alternate, index) => ({ number, alternate: index, ...triple(alternate) })),
		);
}

/** "00 | 08:06:50 | 03:01:01": the device triple, then the configurations. */
export function device(text: string, rest: Partial<UsbDevice> & { malformed?: string } = {}): UsbDevice {
	const [own = "00", ...configurations] = text.split("|").map((part) => part.trim());
	const { malformed = null, ...attributes } = rest;
	return {
		port: "1-1",
		level: 1,
		serial: null,
		product: null,
		manufacturer: null,
		connectType: "hotplug",
		twin: null,
		descriptorsHash: null,
		descriptors: {
			device: triple(own),
			vendorId: 0x1234,
			productId: 0x5678,
			bcdDevice: 0x0100,
			configurations: configurations.map((part, index) => ({
				value: index + 1,
				interfaces: interfaces(part),
			})),
			malformed,
			odd: [],
		},
		...attributes,
	};
}

/** [action, class, and further conditions]. */
export type Brief = readonly [Action, number | null, Partial<DeviceMatch>?];

export function entries(...briefs: readonly Brief[]): SelectedEntry[] {
	return briefs.map(([action, code, rest], index) => ({
		policy: "p",
		entry: {
			index,
			place: { file: "p.yaml", line: index + 1, column: 1 },
			action,
			severity: 1,
			tags: [],
			message: "",
			match: { ...anything, class: code, ...rest },
		},
	}));
}
