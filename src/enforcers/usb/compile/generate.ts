/** An allow-list of the devices that are plugged in, as a policy to start from. */

import { HUB_CLASS, usbClassName } from "../class.ts";
import type { UsbDevice, UsbTriple } from "../subject.ts";
import { isCompositeMarker } from "./decide.ts";

/** Characters of a device's own strings that a comment shows. */
const longestShown = 60;

export interface GenerateOptions {
	/** metadata.name, of the characters that names have. */
	readonly name: string;
	/** What the first lines say, each without its #. */
	readonly about: readonly string[];
	/**
	 * Whether an interface is refused now, by its configuration and number; null and null: the device as a whole. What
	 * is refused is written as a comment.
	 */
	readonly refused: (device: UsbDevice, configuration: number | null, number: number | null) => boolean;
	/** When and how often it was seen, in printable ASCII on one line; null where that is not known. */
	readonly evidence: (device: UsbDevice) => string | null;
}

const defaults: GenerateOptions = {
	name: "usb-allow-present",
	about: [
		"Allows the functions of the USB devices that were plugged in when this was written.",
		"What was refused then is a comment: remove the # of what is to work.",
		"Anything else is refused only with hostDefaultDevicePosture: block in the configuration.",
	],
	refused: () => false,
	evidence: () => null,
};

/**
 * A KubeArmorHostPolicy that allows every function of the devices, in their
 * order: by class, vendor, product and serial number, or the sum of the
 * descriptors where there is no serial number. The same devices give the same
 * text. Root hubs and hubs need no entry; what is refused, and a device whose
 * descriptors can be read in two ways, gets none, and a comment says so.
 */
export function generatePolicy(
	devices: readonly UsbDevice[],
	options: Partial<GenerateOptions> = {},
): string {
	const { name, about, refused, evidence } = { ...defaults, ...options };
	const lines = [
		...about.map((line) => `# ${line}`),
		"# Vendor, product and serial numbers and descriptors are the device's own words: they can be forged.",
		"apiVersion: security.kubearmor.com/v1",
		"kind: KubeArmorHostPolicy",
		"metadata:",
		`  name: ${name}`,
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
		const functions = functionsOf(device, refused);
		const { malformed } = device.descriptors;
		const seen = evidence(device);
		const more = seen === null ? "" : `\n    # ${seen}`;
		const title = `    # ${device.port.replace(/[^-.\w]/g, "?")}: ${describe(device)}${more}`;
		if (malformed !== null) entries.push(title, `    # left out: ${comment(malformed)}`);
		else if (functions.length === 0) entries.push(title, "    # needs no entry: hubs pass");
		for (const item of malformed === null ? functions : []) {
			const entry = entryLines(device, item.triple);
			const key = entry.join("\n");
			entries.push(title);
			if (item.refused)
				entries.push("    # refused now:", ...entry.map((line) => line.replace(/^ {4}/, "    # ")));
			else if (written.has(key)) entries.push("    # the same as an entry above");
			else {
				entries.push(...entry);
				written.add(key);
			}
		}
	}
	lines.push(written.size === 0 ? "    matchDevice: []" : "    matchDevice:");
	return `${[...lines, ...entries].join("\n")}\n`;
}

interface Generated {
	readonly triple: UsbTriple;
	/** Everything that shows it is refused. */
	readonly refused: boolean;
}

/** The distinct triples that a decision judges by class. */
function functionsOf(device: UsbDevice, refused: GenerateOptions["refused"]): Generated[] {
	const { device: own, configurations } = device.descriptors;
	const interfaces = configurations.flatMap(({ value, interfaces: parts }) =>
		parts.map((triple) => ({ triple, refused: refused(device, value, triple.number) })),
	);
	const saysNothing = own.class === 0 || isCompositeMarker(own);
	const whole = { triple: own, refused: refused(device, null, null) };
	const all = saysNothing && interfaces.length > 0 ? interfaces : [whole, ...interfaces];
	const byTriple = new Map<string, Generated>();
	for (const item of all) {
		if (item.triple.class === HUB_CLASS) continue;
		const key = `${item.triple.class}/${item.triple.subClass}/${item.triple.protocol}`;
		const known = byTriple.get(key);
		byTriple.set(key, known === undefined ? item : { ...known, refused: known.refused && item.refused });
	}
	return [...byTriple.values()];
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
	else if (device.descriptorsHash !== null) lines.push(`      descriptorsHash: "${device.descriptorsHash}"`);
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
