/**
 * Parses the binary `descriptors` file of sysfs: the device descriptor, then
 * the raw bytes of every configuration (USB 2.0 specification, section 9.6).
 *
 * The bytes are the device's own, and whoever built it chose them. What the
 * file shows is what the kernel understood: it cuts a configuration off where
 * it stops to understand it, and shows just that (drivers/usb/core/config.c,
 * usb_parse_configuration; sysfs.c, descriptors_read). Only the wTotalLength in
 * it still is what the device said, so one that does not fit is the trace of a
 * cut, which many honest devices need. It leaves no doubt about the interfaces
 * that there are, and so is merely odd. Malformed is what can be read in two
 * ways: each configuration of the file starts with one configuration
 * descriptor, so that more of them than the device has means that one hides
 * inside another; and two interfaces of one name are told apart by nobody.
 */

import type { UsbConfiguration, UsbDescriptors, UsbInterface, UsbTriple } from "../subject.ts";

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
	/** bNumInterfaces. */
	readonly announced: number;
}

/** Oddities that are kept; hostile devices can have any number. */
const mostOddities = 4;

/** What is wrong: one reason that matters, and a few that do not. */
class Findings {
	malformed: string | null = null;
	readonly odd: string[] = [];

	ambiguous(reason: string): void {
		this.malformed ??= reason;
	}

	note(remark: string): void {
		if (this.odd.length < mostOddities && !this.odd.includes(remark)) this.odd.push(remark);
	}
}

/**
 * Reads what there is, up to the first byte that cannot be followed. Never
 * throws and never reads past the end; one pass, so linear in the length.
 */
export function parseUsbDescriptors(bytes: Uint8Array): UsbDescriptors {
	const byte = (at: number): number => bytes[at] ?? 0;
	const word = (at: number): number => byte(at) | (byte(at + 1) << 8);
	const findings = new Findings();
	if (bytes.length < deviceLength) {
		const malformed = `the device descriptor has ${bytes.length} of ${deviceLength} bytes`;
		return {
			device: nothing,
			vendorId: 0,
			productId: 0,
			bcdDevice: 0,
			configurations: [],
			malformed,
			odd: [],
		};
	}
	if (byte(0) !== deviceLength || byte(1) !== deviceType)
		findings.ambiguous("the file does not start with a device descriptor");
	const configurations = parseConfigurations(bytes, byte, word, findings);
	if (configurations.length !== byte(17)) {
		findings.ambiguous(
			`${configurations.length} configuration descriptors where the device has ${byte(17)} configurations`,
		);
	}
	findOverlaps(configurations, findings);
	const { malformed, odd } = findings;
	return {
		device: { class: byte(4), subClass: byte(5), protocol: byte(6) },
		vendorId: word(8),
		productId: word(10),
		bcdDevice: word(12),
		configurations: configurations.map(({ value, interfaces }) => ({ value, interfaces })),
		malformed,
		odd,
	};
}

function parseConfigurations(
	bytes: Uint8Array,
	byte: (at: number) => number,
	word: (at: number) => number,
	findings: Findings,
): readonly OpenConfiguration[] {
	const configurations: OpenConfiguration[] = [];
	const end = Math.min(bytes.length, descriptorLimits.bytes);
	if (bytes.length > end) findings.ambiguous(`there are more than ${end} bytes`);
	let kept = 0;
	let at = deviceLength;
	while (at < end) {
		const length = byte(at);
		const current = configurations.at(-1);
		if (end - at < 2 || length < 2 || length > end - at) {
			findings.note(`a descriptor of length ${length} with ${end - at} bytes left, at byte ${at}`);
			break;
		}
		const type = byte(at + 1);
		if (type === configurationType && length >= configurationLength) {
			if (current !== undefined) noteLength(current, at, findings);
			configurations.push({
				value: byte(at + 5),
				interfaces: [],
				end: at + word(at + 2),
				announced: byte(at + 4),
			});
		} else if (current === undefined) {
			findings.ambiguous(`no configuration descriptor at byte ${at}`);
			break;
		} else if (type === configurationType || (type === interfaceType && length < interfaceLength)) {
			const what = type === interfaceType ? "an interface" : "a configuration";
			findings.note(`${what} descriptor of length ${length}, at byte ${at}, which the kernel skips`);
		} else if (type === interfaceType) {
			if (kept === descriptorLimits.interfaces) {
				findings.ambiguous(`there are more than ${kept} interface descriptors`);
				break;
			}
			kept++;
			const triple = { class: byte(at + 5), subClass: byte(at + 6), protocol: byte(at + 7) };
			current.interfaces.push({ number: byte(at + 2), alternate: byte(at + 3), ...triple });
		}
		at += length;
	}
	const last = configurations.at(-1);
	if (last !== undefined) noteLength(last, at, findings);
	return configurations;
}

/** `at`: where the configuration ends. */
function noteLength(
	{ value, end, interfaces, announced }: OpenConfiguration,
	at: number,
	findings: Findings,
): void {
	if (end !== at) {
		const difference = end > at ? `${end - at} bytes longer` : `${at - end} bytes shorter`;
		findings.note(`configuration ${value} says that it is ${difference} than it is`);
	}
	const count = new Set(interfaces.map(({ number }) => number)).size;
	if (count !== announced)
		findings.note(`configuration ${value} says that it has ${announced} interfaces and has ${count}`);
}

/** Two descriptions of what the kernel knows by one name. */
function findOverlaps(configurations: readonly UsbConfiguration[], findings: Findings): void {
	const values = new Set<number>();
	for (const { value, interfaces } of configurations) {
		if (values.has(value)) findings.ambiguous(`two configurations have the number ${value}`);
		values.add(value);
		const seen = new Map<number, UsbInterface>();
		for (const item of interfaces) {
			const key = item.number * 256 + item.alternate;
			const before = seen.get(key);
			if (before === undefined) seen.set(key, item);
			else {
				const what = `configuration ${value} describes altsetting ${item.alternate} of interface ${item.number} twice`;
				if (sameTriple(before, item)) findings.note(what);
				else findings.ambiguous(`${what}, and differently`);
			}
		}
	}
}

function sameTriple(a: UsbTriple, b: UsbTriple): boolean {
	return a.class === b.class && a.subClass === b.subClass && a.protocol === b.protocol;
}
