import {
	bytes,
	configuration,
	deviceDescriptor,
	diskInterface,
	endpoint,
	hidDescriptor,
	interfaceDescriptor,
	keyboardInterface,
	keyboardReport,
	mouseReport,
} from "./descriptors.ts";
import type { HostileDevice } from "./hostile.ts";

// Ready-made devices for Hostile.plug(). Each takes what differs from it: another serial, a trace, a port.

type Change = Partial<HostileDevice>;

/** GET_DESCRIPTOR for the report descriptor of one HID interface. */
export function reportRule(number: number, reply: Uint8Array) {
	return { setup: `81060022${number.toString(16).padStart(2, "0")}00....`, reply };
}

/** 03:01:01; key presses go to endpoint 0x81. */
export function keyboard(change: Change = {}): HostileDevice {
	return {
		device: deviceDescriptor({ strings: { product: 2 } }),
		configurations: [configuration([keyboardInterface(0)])],
		strings: { 2: "Plain keyboard" },
		rules: [reportRule(0, keyboardReport)],
		...change,
	};
}

/** 03:01:02. */
export function mouse(change: Change = {}): HostileDevice {
	const extra = [hidDescriptor(mouseReport.length)];
	const endpoints = [endpoint(0x81, 3, 4)];
	return {
		device: deviceDescriptor({ product: 0x0105 }),
		configurations: [
			configuration([
				interfaceDescriptor({ number: 0, class: 3, subClass: 1, protocol: 2, extra, endpoints }),
			]),
		],
		rules: [reportRule(0, mouseReport)],
		...change,
	};
}

/** 08:06:50, bulk only, 8 MiB; obeys `commands` SCSI commands and then stops answering (0: the very first one hangs). */
export function disk(commands = 1_000_000_000, change: Change = {}): HostileDevice {
	return {
		device: deviceDescriptor({ vendor: 0x0781, product: 0x5567 }),
		configurations: [configuration([diskInterface(0)])],
		disk: { commands, in: 0x81, out: 0x01 },
		...change,
	};
}

/** A stick (interface 0) that is also a keyboard (interface 1, endpoint 0x82). */
export function badUsb(change: Change = {}): HostileDevice {
	return {
		device: deviceDescriptor({ vendor: 0x0781, product: 0x5567, strings: { product: 2, serial: 3 } }),
		configurations: [configuration([diskInterface(0), keyboardInterface(1, 0, 0x82)])],
		strings: { 2: "Nice stick", 3: "SN-0001" },
		disk: { commands: 1_000_000_000, in: 0x81, out: 0x01 },
		rules: [reportRule(1, keyboardReport)],
		...change,
	};
}

/** Vendor specific (ff:01:01) in altsetting 0, a keyboard in altsetting 1 of the same interface. */
export function hiddenKeyboard(change: Change = {}): HostileDevice {
	const plain = interfaceDescriptor({ number: 0, class: 0xff, subClass: 1, protocol: 1 });
	return keyboard({ configurations: [configuration([plain, keyboardInterface(0, 1)])], ...change });
}

/** A disk in its first configuration, which the kernel takes, and a keyboard in its second (value 2). */
export function twoConfigurations(change: Change = {}): HostileDevice {
	return disk(1_000_000_000, {
		device: deviceDescriptor({ vendor: 0x0781, product: 0x5567, configurations: 2 }),
		configurations: [configuration([diskInterface(0)]), configuration([keyboardInterface(0)], { value: 2 })],
		rules: [reportRule(0, keyboardReport)],
		...change,
	});
}

/** Class ff:ff:ff on the device, a keyboard in its interface. */
export function vendorKeyboard(change: Change = {}): HostileDevice {
	return keyboard({ device: deviceDescriptor({ class: 0xff, subClass: 0xff, protocol: 0xff }), ...change });
}

/** ef:02:01 with a video control, a video streaming (two altsettings) and an audio control interface. */
export function webcam(change: Change = {}): HostileDevice {
	const association = bytes(8, 11, 0, 2, 0x0e, 3, 0, 0);
	const streaming = (altsetting: number) =>
		interfaceDescriptor({ number: 1, altsetting, class: 0x0e, subClass: 2, protocol: 0 });
	const parts = [
		association,
		interfaceDescriptor({ number: 0, class: 0x0e, subClass: 1, protocol: 0 }),
		streaming(0),
		streaming(1),
		interfaceDescriptor({ number: 2, class: 1, subClass: 1, protocol: 0 }),
	];
	return {
		device: deviceDescriptor({ class: 0xef, subClass: 2, protocol: 1 }),
		configurations: [configuration(parts)],
		...change,
	};
}

/** Never answers anything: the kernel's attempts to enumerate it keep its controller busy. */
export function mute(change: Change = {}): HostileDevice {
	return keyboard({ rules: [{ setup: "................", reply: "hang" }], ...change });
}

/** A keyboard that calls itself something that a terminal or a line of a log would obey. */
export function loudKeyboard(change: Change = {}): HostileDevice {
	const device = deviceDescriptor({ strings: { manufacturer: 1, product: 2, serial: 3 } });
	const strings = {
		1: "\x1b]0;owned\x07\x1b[2J",
		2: "Keyboard\nAction=Allow\x1b[31m",
		3: "\u202e\u0000<script>'\"\\ %s",
	};
	return keyboard({ device, strings, ...change });
}

/** Configurations that are not what their lengths and counts say, by name. All hold a keyboard somewhere. */
export const lies: { readonly [name: string]: Uint8Array } = {
	"counts nine interfaces": configuration([keyboardInterface(0)], { interfaces: 9 }),
	"counts none": configuration([keyboardInterface(0)], { interfaces: 0 }),
	"ends in a descriptor without length": configuration([keyboardInterface(0), bytes(0, 4, 0, 0)]),
	"hides the keyboard behind a descriptor without length": configuration([
		interfaceDescriptor({ number: 0, class: 0xff, subClass: 0, protocol: 0 }),
		bytes(0, 0),
		keyboardInterface(1),
	]),
	"ends in the middle of a descriptor": configuration([
		keyboardInterface(0),
		keyboardInterface(1, 0, 0x82).subarray(0, 12),
	]),
	"has an interface descriptor of 8 bytes": configuration([
		keyboardInterface(0),
		bytes(8, 4, 1, 0, 0, 3, 1, 1),
	]),
	"has an interface descriptor of 11 bytes": configuration([bytes(11, 4, 0, 0, 0, 3, 1, 1, 0, 0xaa, 0xbb)]),
	"numbers two interfaces alike": configuration([keyboardInterface(0), keyboardInterface(0, 0, 0x82)]),
	"has an interface 255": configuration([keyboardInterface(255)]),
};
