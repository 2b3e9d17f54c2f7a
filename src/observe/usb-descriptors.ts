/**
 * Parses the binary `descriptors` file of sysfs: the device descriptor, then
 * the raw bytes of every configuration (USB 2.0 specification, section 9.6).
 *
 * The bytes are the device's own, and whoever built it chose them. The kernel
 * cuts a configuration off where it stops to understand it, but leaves its
 * wTotalLength as the device wrote it, so a length that does not fit is the
 * trace of such a cut (drivers/usb/core/config.c). A wrong bNumInterfaces is
 * not malformed: the kernel counts for itself, and honest devices get it wrong.
 */

import type { UsbConfiguration, UsbDescriptors, UsbInterface, UsbTriple } from "../policy/device-subject.ts";

const deviceType = 1;
const configurationType = 2;
const interfaceType = 4;

const deviceLength = 18;
const configurationLength = 9;
const interfaceLength = 9;

export const descriptorLimits = {
	/** Bytes that are read: eight configurations of 65 535, which is all that the kernel keeps. */
	bytes: deviceLength + 8 * 0xffff,
	/** Interface descriptors that are kept, altsettings included; real devices have a few dozen. */
	interfaces: 1024,
} as const;

const nothing: UsbTriple = { class: 0, subClass: 0, protocol: 0 };

interface OpenConfiguration extends UsbConfiguration {
	readonly interfaces: UsbInterface[];
	/** Where the next configuration starts, if wTotalLength is true. */
	readonly end: number;
}

/**
 * Reads what there is, up to the first byte that cannot be followed. Never
 * throws and never reads past the end; one pass, so linear in the length.
 */
export function parseUsbDescriptors(bytes: Uint8Array): UsbDescriptors {
	const byte = (at: number): number => bytes[at] ?? 0;
	const word = (at: number): number => byte(at) | (byte(at + 1) << 8);
	const triple = (at: number): UsbTriple => ({
		class: byte(at),
		subClass: byte(at + 1),
		protocol: byte(at + 2),
	});
	if (bytes.length < deviceLength) {
		const malformed = `the device descriptor has ${bytes.length} of ${deviceLength} bytes`;
		return { device: nothing, vendorId: 0, productId: 0, bcdDevice: 0, configurations: [], malformed };
	}
	const headed = byte(0) === deviceLength && byte(1) === deviceType;
	const { configurations, malformed } = parseConfigurations(bytes, byte, word, triple);
	return {
		device: triple(4),
		vendorId: word(8),
		productId: word(10),
		bcdDevice: word(12),
		configurations: configurations.map(({ value, interfaces }) => ({ value, interfaces })),
		malformed: headed ? malformed : "the file does not start with a device descriptor",
	};
}

function parseConfigurations(
	bytes: Uint8Array,
	byte: (at: number) => number,
	word: (at: number) => number,
	triple: (at: number) => UsbTriple,
): { configurations: readonly OpenConfiguration[]; malformed: string | null } {
	const configurations: OpenConfiguration[] = [];
	let malformed: string | null = null;
	const mark = (reason: string): void => {
		malformed ??= reason;
	};
	const end = Math.min(bytes.length, descriptorLimits.bytes);
	if (bytes.length > end) mark(`there are more than ${end} bytes`);
	let kept = 0;
	let at = deviceLength;
	while (at < end) {
		const length = byte(at);
		const current = configurations.at(-1);
		if (end - at < 2 || length < 2 || length > end - at) {
			mark(`a descriptor of length ${length} with ${end - at} bytes left, at byte ${at}`);
			break;
		}
		const type = byte(at + 1);
		if (type === configurationType && length >= configurationLength) {
			if (current !== undefined && current.end !== at) mark(lyingLength(current));
			configurations.push({ value: byte(at + 5), interfaces: [], end: at + word(at + 2) });
		} else if (current === undefined) {
			mark(`no configuration descriptor at byte ${at}`);
			break;
		} else {
			if (at >= current.end) mark(lyingLength(current));
			if (type === configurationType) mark(`a configuration descriptor of length ${length}, at byte ${at}`);
			else if (type === interfaceType && length < interfaceLength) {
				mark(`an interface descriptor of length ${length}, at byte ${at}`);
			} else if (type === interfaceType) {
				if (kept === descriptorLimits.interfaces) {
					mark(`there are more than ${kept} interface descriptors`);
					break;
				}
				kept++;
				current.interfaces.push({ number: byte(at + 2), alternate: byte(at + 3), ...triple(at + 5) });
			}
		}
		at += length;
	}
	const last = configurations.at(-1);
	if (last !== undefined && last.end !== at) mark(lyingLength(last));
	if (configurations.length !== byte(17)) {
		mark(`${configurations.length} configurations where the device says ${byte(17)}`);
	}
	return { configurations, malformed };
}

function lyingLength(configuration: OpenConfiguration): string {
	return `the total length of configuration ${configuration.value} is not the length of its descriptors`;
}
