/** An allow-list of the devices that are plugged in, as a policy to start from. */

import { HUB_CLASS, usbClassName } from "../policy/device-class.ts";
import type { UsbDevice, UsbTriple } from "../policy/device-subject.ts";
import { isCompositeMarker } from "./usb-decide.ts";

/** Characters of a device's own strings that a comment shows. */
const longestShown = 60;

/**
 * A KubeArmorHostPolicy that allows every function of the devices, in their
 * order: by class, vendor, product and serial number. The same devices give
 * the same text. Root hubs and hubs need no entry; a device whose descriptors
 * are malformed gets none, and a comment says so.
 */
export function generatePolicy(devices: readonly UsbDevice[]): string {
	const lines = [
		"# Allows the functions of the USB devices that were plugged in when this was written.",
		"# Anything else is refused only with hostDefaultDevicePosture: block in the configuration.",
		"# Vendor, product and serial numbers are the device's own words: they can be forged.",
		"apiVersion: security.kubearmor.com/v1",
		"kind: KubeArmorHostPolicy",
		"metadata:",
		"  name: usb-allow-present",
		"spec:",
		"  nodeSelector:",
		"    matchLabels:",
		'      kubernetes.io/hostname: "*"',
		"  action: Allow",
		"  device:",
	];
	const written = new Set<string>();
	const entries: string[] = [];
	for (const device of devices) {
		if (device.level === 0) continue;
		const triples = functionsOf(device);
		const { malformed } = device.descriptors;
		const about = `    # ${device.port.replace(/[^-.\w]/g, "?")}: ${describe(device)}`;
		if (malformed !== null) entries.push(about, `    # left out: ${comment(malformed)}`);
		else if (triples.length === 0) entries.push(about, "    # needs no entry: hubs pass");
		for (const triple of malformed === null ? triples : []) {
			const entry = entryLines(device, triple);
			const key = entry.join("\n");
			entries.push(about);
			if (written.has(key)) entries.push("    # the same as an entry above");
			else entries.push(...entry);
			written.add(key);
		}
	}
	lines.push(written.size === 0 ? "    matchDevice: []" : "    matchDevice:");
	return `${[...lines, ...entries].join("\n")}\n`;
}

/** The distinct triples that a decision judges by class. */
function functionsOf({ descriptors: { device, configurations } }: UsbDevice): UsbTriple[] {
	const interfaces = configurations.flatMap((configuration) => configuration.interfaces);
	const saysNothing = device.class === 0 || isCompositeMarker(device);
	const all: UsbTriple[] = saysNothing && interfaces.length > 0 ? interfaces : [device, ...interfaces];
	const seen = new Set<string>();
	return all.filter((triple) => {
		const key = `${triple.class}/${triple.subClass}/${triple.protocol}`;
		return triple.class !== HUB_CLASS && !seen.has(key) && seen.add(key);
	});
}

/** Class 0 has no notation in a policy, so ALL stands for it; the ids keep the entry narrow. */
function entryLines(device: UsbDevice, triple: UsbTriple): string[] {
	const { vendorId, productId } = device.descriptors;
	const lines = [
		`    - class: ${triple.class === 0 ? "ALL" : usbClassName(triple.class)}`,
		`      subClass: ${triple.subClass}`,
		`      protocol: ${triple.protocol}`,
		`      vendorId: "${hex4(vendorId)}"`,
		`      productId: "${hex4(productId)}"`,
	];
	if (device.serial !== null && device.serial !== "") lines.push(`      serial: ${quoted(device.serial)}`);
	return lines;
}

function describe(device: UsbDevice): string {
	const { vendorId, productId } = device.descriptors;
	const strings = [device.manufacturer, device.product].filter((text) => text !== null && text !== "");
	return [`${hex4(vendorId)}:${hex4(productId)}`, ...strings.map((text) => comment(text ?? ""))].join(" ");
}

function hex4(value: number): string {
	return value.toString(16).padStart(4, "0");
}

/** A YAML double-quoted scalar (YAML 1.2.2 section 7.3.1) in printable ASCII. */
function quoted(text: string): string {
	return `"${text.replace(/["\\]|[^ -~]/g, (unit) =>
		unit === '"' || unit === "\\" ? `\\${unit}` : `\\u${hex4(unit.charCodeAt(0))}`,
	)}"`;
}

/** Bounded printable ASCII; everything else is shown by its code. */
function comment(text: string): string {
	const shown = text.length > longestShown ? `${text.slice(0, longestShown)}...` : text;
	return shown.replace(/[^ -~]/g, (unit) => `\\u${hex4(unit.charCodeAt(0))}`);
}
