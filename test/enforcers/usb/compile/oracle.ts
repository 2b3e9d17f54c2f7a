/** Random devices and entries, and what the words make of them: brute force, and nothing of the product's. */

import fc from "fast-check";
import type { Action } from "../../../../src/base/model.ts";
import type { SelectedEntry } from "../../../../src/enforcers/usb/compile/match.ts";
import type { DevicePosture } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import type { DeviceMatch } from "../../../../src/enforcers/usb/model.ts";
import type { UsbDevice, UsbTriple } from "../../../../src/enforcers/usb/subject.ts";
import { anything } from "../support/shapes.ts";
import { device } from "./sample.ts";

const actions: readonly Action[] = ["Allow", "Audit", "Block"];
const maybe = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: null, freq: 1 });
const strings = fc.option(fc.subarray(["A", "B", "C"], { minLength: 1 }), { nil: null, freq: 1 });

const matches: fc.Arbitrary<DeviceMatch> = fc.record({
	class: maybe(3, 8, 9, 0xef, 0xff),
	subClass: maybe(0, 1, 2),
	protocol: maybe(0, 1),
	level: maybe(1, 2),
	vendorId: maybe(1, 2),
	productId: maybe(1, 2),
	serial: strings,
	product: strings,
	manufacturer: strings,
	port: maybe("1-1", "1-1.*", "1-*", "*.1"),
	connectType: maybe("hotplug" as const, "hardwired" as const, "unknown" as const),
	descriptorsHash: strings,
	unlessAlso: fc.option(fc.subarray([3, 8, 9], { minLength: 1 }), { nil: null, freq: 1 }),
});

/** Mostly broad entries, so that several match at once. */
const broadMatches = fc
	.tuple(matches, fc.subarray(Object.keys(anything), { minLength: 7 }))
	.map(([match, dropped]): DeviceMatch => {
		const blank = Object.fromEntries(dropped.map((key) => [key, null]));
		return { ...match, ...blank };
	});

export const rules: fc.Arbitrary<SelectedEntry[]> = fc
	.array(
		fc.record({
			match: broadMatches,
			action: fc.constantFrom(...actions),
			policy: fc.constantFrom("p", "q"),
		}),
		{
			maxLength: 12,
		},
	)
	.map((items) =>
		items.map(({ match, action, policy }, index) => ({
			policy,
			entry: {
				index,
				place: { file: "p.yaml", line: 1, column: 1 },
				action,
				severity: 1,
				tags: [],
				message: "",
				match,
			},
		})),
	);

const triples = fc.record({
	class: fc.constantFrom(0, 3, 8, 9, 0xef, 0xff),
	subClass: fc.constantFrom(0, 1, 2),
	protocol: fc.constantFrom(0, 1),
});
const deviceTriples = fc.oneof(
	fc.constantFrom({ class: 0, subClass: 0, protocol: 0 }, { class: 0xef, subClass: 2, protocol: 1 }),
	triples,
);

export const devices: fc.Arbitrary<UsbDevice> = fc
	.record({
		own: deviceTriples,
		configurations: fc.array(fc.array(fc.tuple(fc.nat(2), fc.nat(1), triples), { maxLength: 4 }), {
			maxLength: 2,
		}),
		ids: fc.tuple(fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2)),
		serial: maybe("A", "B", "Z"),
		product: maybe("A", "C"),
		manufacturer: maybe("A", "C"),
		port: fc.constantFrom("1-1", "1-1.1", "2-2"),
		connectType: fc.constantFrom("hotplug" as const, "hardwired" as const, "unknown" as const),
		twin: maybe("1-1", "2-2.1"),
		descriptorsHash: maybe("A", "Z"),
	})
	.map(({ own, configurations, ids: [vendorId, productId], ...rest }) => ({
		...device("00"),
		...rest,
		level: rest.port.includes(".") ? 2 : 1,
		descriptors: {
			device: own,
			vendorId,
			productId,
			bcdDevice: 0,
			malformed: null,
			odd: [],
			configurations: configurations.map((items, index) => ({
				value: index + 1,
				interfaces: items.map(([number, alternate, triple]) => ({ number, alternate, ...triple })),
			})),
		},
	}));

/** The words, taken literally and without any index: attribute by attribute, entry by entry. */
export const oracle = {
	glob: (glob: string, port: string) =>
		new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", ".*")}$`).test(port),

	matches(match: DeviceMatch, subject: UsbDevice, triple: UsbTriple, named: boolean): boolean {
		const { vendorId, productId } = subject.descriptors;
		const pairs: [unknown, unknown][] = [
			[match.subClass, triple.subClass],
			[match.protocol, triple.protocol],
			[match.level, subject.level],
			[match.vendorId, vendorId],
			[match.productId, productId],
			[match.connectType, subject.connectType],
		];
		const { device: own, configurations } = subject.descriptors;
		const shown = [own, ...configurations.flatMap(({ interfaces }) => interfaces)];
		if (match.unlessAlso?.some((code) => shown.some((item) => item.class === code))) return false;
		const lists: [readonly string[] | null, string | null][] = [
			[match.serial, subject.serial],
			[match.product, subject.product],
			[match.manufacturer, subject.manufacturer],
			[match.descriptorsHash, subject.descriptorsHash],
		];
		if (match.class === null ? named || triple.class === 9 : match.class !== triple.class) return false;
		const sockets = [subject.port, subject.twin ?? subject.port];
		const { port } = match;
		if (port !== null && !sockets.some((name) => this.glob(port, name))) return false;
		return (
			pairs.every(([wanted, actual]) => wanted === null || wanted === actual) &&
			lists.every(([wanted, actual]) => wanted === null || (actual !== null && wanted.includes(actual)))
		);
	},

	within(inner: DeviceMatch, outer: DeviceMatch): boolean {
		return (Object.keys(anything) as (keyof DeviceMatch)[]).every((key) => {
			const [a, b] = [inner[key], outer[key]];
			if (b === null) return true;
			if (a === null) return false;
			if (key === "unlessAlso")
				return outer.unlessAlso?.every((code) => inner.unlessAlso?.includes(code)) ?? true;
			if (Array.isArray(a) && Array.isArray(b)) return a.every((value) => b.includes(value));
			if (key === "port" && a !== b) return !String(a).includes("*") && this.glob(String(b), String(a));
			return a === b;
		});
	},

	action(
		all: readonly SelectedEntry[],
		posture: DevicePosture,
		subject: UsbDevice,
		triple: UsbTriple,
		named: boolean,
	): Action | null {
		const hits = all.filter(({ entry }) => this.matches(entry.match, subject, triple, named));
		const left = hits.filter(
			({ entry: { match } }) =>
				!hits.some(({ entry: other }) => this.within(other.match, match) && !this.within(match, other.match)),
		);
		for (const action of ["Block", "Audit", "Allow"] as const) {
			if (left.some(({ entry }) => entry.action === action)) return action;
		}
		if (named) return null;
		if (triple.class === 9 || !all.some(({ entry }) => entry.action === "Allow")) return "Audit";
		return posture === "block" ? "Block" : "Audit";
	},

	/** "refuse", or the refused interfaces, as "configuration.number". */
	decide(all: readonly SelectedEntry[], posture: DevicePosture, subject: UsbDevice): "refuse" | string[] {
		const { device: own, configurations } = subject.descriptors;
		const every = configurations.flatMap(({ interfaces }) => interfaces);
		const marker = own.class === 0xef && own.subClass === 2 && own.protocol === 1;
		const silent = own.class === 0 && every.length > 0;
		const named = own.class === 9 || (marker && every.length > 0);
		if (!silent && this.action(all, posture, subject, own, named) === "Block") return "refuse";
		const outcomes = configurations.map(({ value, interfaces }) => {
			const numbers = [...new Set(interfaces.map(({ number }) => number))];
			const refused = numbers.filter((number) =>
				interfaces.some(
					(item) => item.number === number && this.action(all, posture, subject, item, false) === "Block",
				),
			);
			const useful = refused.length < numbers.length;
			return { useful, refused: refused.map((number) => `${value}.${number}`) };
		});
		const refused = outcomes.flatMap((item) => item.refused);
		if (refused.length > 0 && !outcomes.some(({ useful }) => useful)) return "refuse";
		return refused.sort();
	},
};
