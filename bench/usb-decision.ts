/** CPU time of judging 1 000 USB devices against 1 000 entries, the index of the entries included. */

import type { Action } from "../src/base/model.ts";
import { decideDevice } from "../src/enforcers/usb/compile/decide.ts";
import type { SelectedEntry } from "../src/enforcers/usb/compile/match.ts";
import { DeviceRuleset } from "../src/enforcers/usb/compile/ruleset.ts";
import type { DeviceMatch } from "../src/enforcers/usb/model.ts";
import type { UsbDevice, UsbTriple } from "../src/enforcers/usb/subject.ts";
import { type Figure, interleave, quantity } from "./report.ts";

const count = 1000;
const numbers = Array.from({ length: count }, (_, index) => index);

/** A linear congruential generator, so that every run judges the same. */
function randomNumbers(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}

const anything: DeviceMatch = {
	class: null,
	subClass: null,
	protocol: null,
	level: null,
	vendorId: null,
	productId: null,
	serial: null,
	product: null,
	manufacturer: null,
	port: null,
	connectType: null,
	descriptorsHash: null,
	unlessAlso: null,
};
const actions: readonly Action[] = ["Allow", "Audit", "Block"];

function entriesOf(match: (index: number) => Partial<DeviceMatch>): SelectedEntry[] {
	return numbers.map((index) => ({
		policy: `policy-${index}`,
		entry: {
			index: 0,
			place: { file: "bench.yaml", line: 1, column: 1 },
			action: actions[index % 3] ?? "Block",
			severity: 1,
			tags: [],
			message: "",
			match: { ...anything, ...match(index) },
		},
	}));
}

function devices(): UsbDevice[] {
	const random = randomNumbers(1);
	const classes = [1, 3, 3, 3, 8, 8, 0x0b, 0x0e, 0xe0, 0xff];
	const triple = (): UsbTriple => ({
		class: classes[random(classes.length)] ?? 3,
		subClass: random(7),
		protocol: random(3),
	});
	return numbers.map((index) => ({
		port: `${1 + random(4)}-${1 + random(8)}.${1 + random(7)}`,
		level: 2,
		serial: `SERIAL${index}`,
		product: `Product ${index}`,
		manufacturer: null,
		connectType: "hotplug",
		twin: null,
		descriptorsHash: null,
		descriptors: {
			device: { class: 0, subClass: 0, protocol: 0 },
			vendorId: random(50),
			productId: random(50),
			bcdDevice: 0,
			configurations: [
				{ value: 1, interfaces: [0, 1, 2].map((number) => ({ number, alternate: 0, ...triple() })) },
			],
			malformed: null,
			odd: [],
		},
	}));
}

/** Milliseconds of CPU time of this process. */
async function judge(entries: readonly SelectedEntry[], present: readonly UsbDevice[]): Promise<number> {
	const before = process.cpuUsage();
	const ruleset = new DeviceRuleset(entries, "block");
	for (const device of present) decideDevice(ruleset, device, { mode: "apply", consoleKeyboard: false });
	const { user, system } = process.cpuUsage(before);
	return (user + system) / 1000;
}

/** Figures for sets of entries of several kinds. */
export async function usbDecisionFigures(): Promise<Figure[]> {
	const present = devices();
	const random = randomNumbers(2);
	const orNull = (below: number): number | null => (random(2) === 0 ? null : random(below));
	const sets: Readonly<Record<string, SelectedEntry[]>> = {
		"entries by class, subclass, protocol and level": entriesOf(() => ({
			class: random(8) === 0 ? null : 1 + random(20),
			subClass: orNull(7),
			protocol: orNull(3),
			level: random(2) === 0 ? null : 1 + random(4),
		})),
		"entries by vendor, product and serial number": entriesOf((index) => ({
			class: random(4) === 0 ? null : 3,
			vendorId: random(50),
			productId: orNull(50),
			serial: random(2) === 0 ? null : [`SERIAL${index}`],
		})),
		"entries by port": entriesOf((index) => ({
			class: 3,
			port: `${1 + (index % 4)}-${1 + (index % 8)}.*${index}`,
		})),
		"entries that are all the same": entriesOf(() => ({})),
	};
	const contenders = Object.fromEntries(
		Object.entries(sets).map(([name, entries]) => [name, () => judge(entries, present)]),
	);
	const medians = await interleave(contenders);
	return Object.entries(medians).map(([name, time]) =>
		quantity(`CPU time, ${count} devices, ${count} ${name}`, time, "ms", 50),
	);
}
