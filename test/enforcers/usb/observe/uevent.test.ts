import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { longestUevent, parseUevent, usbEvent } from "../../../../src/enforcers/usb/observe/uevent.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function message(fields: Readonly<Record<string, string>>, head = "add@/devices/pci0/usb1/1-4"): Uint8Array {
	return encode([head, ...Object.entries(fields).map(([key, value]) => `${key}=${value}`), ""].join("\0"));
}

const plugged = {
	ACTION: "add",
	SUBSYSTEM: "usb",
	DEVTYPE: "usb_device",
	BUSNUM: "001",
	DEVNUM: "023",
	SEQNUM: "4711",
};

function event(bytes: Uint8Array) {
	const uevent = parseUevent(bytes);
	return uevent && usbEvent(uevent, 5);
}

describe("a uevent of the kernel", () => {
	test("about a device", () => {
		expect(event(message(plugged))).toEqual({
			action: "add",
			kind: "device",
			device: "1-4",
			address: { bus: 1, number: 23 },
			sequence: 4711,
			synthetic: false,
			mark: "",
			time: 5,
		});
	});

	test("about an interface names its device, and has no address", () => {
		const bytes = message({ ...plugged, DEVTYPE: "usb_interface" }, "bind@/devices/pci0/usb1/1-4/1-4:1.0");
		expect(event(bytes)).toMatchObject({ action: "bind", kind: "interface", device: "1-4", address: null });
	});

	test("that somebody asked for says so", () => {
		expect(event(message({ ...plugged, SYNTH_UUID: "0" }))?.synthetic).toBe(true);
	});

	test.each([
		["of another subsystem", message({ ...plugged, SUBSYSTEM: "usbmisc" })],
		["of another type", message({ ...plugged, DEVTYPE: "usb_host" })],
		["about what is no device", message(plugged, "add@/devices/pci0/usb1/ep_00")],
		["without a path", message(plugged, "add")],
		["of udev", encode("libudev\0\xfe\xed\xca\xfe")],
		["that is too long", message({ ...plugged, X: "x".repeat(longestUevent) })],
		["that is empty", new Uint8Array()],
	])("%s is none of ours", (_what, bytes) => {
		expect(event(bytes)).toBeNull();
	});

	test("whatever the bytes, nothing is thrown, and numbers are bounded", () => {
		const field = fc.oneof(
			fc.constantFrom("SUBSYSTEM=usb", "DEVTYPE=usb_device", "DEVNUM=-1", "BUSNUM=99999999999999999999", "="),
			fc.string({ unit: "binary" }),
		);
		fc.assert(
			fc.property(
				fc.oneof(
					fc.uint8Array(),
					fc.array(field).map((list) => encode(list.join("\0"))),
				),
				(bytes) => {
					const parsed = event(bytes);
					if (parsed === null) return;
					expect(Number.isSafeInteger(parsed.sequence)).toBe(true);
					expect(parsed.device).toMatch(/^(?:usb\d+|\d+-[\d.]+)$/);
				},
			),
		);
	});
});
