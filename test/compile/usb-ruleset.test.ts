import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decideDevice } from "../../src/compile/usb-decide.ts";
import type { SelectedEntry } from "../../src/compile/usb-match.ts";
import {
	type DevicePosture,
	DeviceRuleset,
	needsLock,
	selectEntries,
} from "../../src/compile/usb-ruleset.ts";
import type { DeviceMatch } from "../../src/policy/device-model.ts";
import type { UsbDevice, UsbTriple } from "../../src/policy/device-subject.ts";
import type { Action } from "../../src/policy/model.ts";
import { anything, device, entries } from "./usb-sample.ts";

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
	connectType: maybe("hotplug" as const, "hardwired" as const),
});

/** Mostly broad entries, so that several match at once. */
const broadMatches = fc
	.tuple(matches, fc.subarray(Object.keys(anything), { minLength: 7 }))
	.map(([match, dropped]): DeviceMatch => {
		const blank = Object.fromEntries(dropped.map((key) => [key, null]));
		return { ...match, ...blank };
	});

const rules: fc.Arbitrary<SelectedEntry[]> = fc
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

const devices: fc.Arbitrary<UsbDevice> = fc
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
			configurations: configurations.map((items, index) => ({
				value: index + 1,
				interfaces: items.map(([number, alternate, triple]) => ({ number, alternate, ...triple })),
			})),
		},
	}));

/** The words, taken literally and without any index: attribute by attribute, entry by entry. */
const oracle = {
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
		const lists: [readonly string[] | null, string | null][] = [
			[match.serial, subject.serial],
			[match.product, subject.product],
			[match.manufacturer, subject.manufacturer],
		];
		if (match.class === null ? named || triple.class === 9 : match.class !== triple.class) return false;
		if (match.port !== null && !this.glob(match.port, subject.port)) return false;
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

	/** "refuse", or the refused interface numbers. */
	decide(all: readonly SelectedEntry[], posture: DevicePosture, subject: UsbDevice): "refuse" | number[] {
		const { device: own, configurations } = subject.descriptors;
		const every = configurations.flatMap(({ interfaces }) => interfaces);
		const marker = own.class === 0xef && own.subClass === 2 && own.protocol === 1;
		const silent = own.class === 0 && every.length > 0;
		const named = own.class === 9 || (marker && every.length > 0);
		if (!silent && this.action(all, posture, subject, own, named) === "Block") return "refuse";
		const refused = new Set(
			every
				.filter((item) => this.action(all, posture, subject, item, false) === "Block")
				.map(({ number }) => number),
		);
		if (refused.size > 0 && every.every(({ number }) => refused.has(number))) return "refuse";
		return [...refused].sort();
	},
};

describe("random devices and entries", () => {
	test("are decided as the brute-force oracle decides", () => {
		const seen = new Set<string>();
		fc.assert(
			fc.property(
				rules,
				fc.constantFrom("audit" as const, "block" as const),
				fc.array(devices, { minLength: 1, maxLength: 4 }),
				(all, posture, subjects) => {
					const ruleset = new DeviceRuleset(all, posture);
					for (const subject of subjects) {
						const {
							device: outcome,
							interfaces,
							state,
						} = decideDevice(ruleset, subject, {
							mode: "apply",
							consoleKeyboard: false,
						});
						const refused = interfaces.filter(({ permitted }) => !permitted).map(({ number }) => number);
						const actual = outcome === "refuse" ? "refuse" : [...new Set(refused)].sort();
						expect(actual).toEqual(oracle.decide(all, posture, subject));
						seen.add(state);
						if (state !== "authorized") expect(ruleset.needsLock).toBe(true);
					}
				},
			),
			{ numRuns: 1500 },
		);
		expect(seen).toEqual(new Set(["authorized", "partial", "refused"]));
	});

	test("do not depend on the order of the entries", () => {
		fc.assert(
			fc.property(rules, devices, (all, subject) => {
				const options = { mode: "apply", consoleKeyboard: false } as const;
				const outcome = (list: readonly SelectedEntry[]) =>
					decideDevice(new DeviceRuleset(list, "block"), subject, options).functions.map(({ verdict }) => [
						verdict.action,
						verdict.entry?.policy,
						verdict.entry?.entry.index,
					]);
				expect(outcome(all.toReversed())).toEqual(outcome(all));
			}),
		);
	});
});

describe("DeviceRuleset", () => {
	test("locks only when something could be refused", () => {
		expect(needsLock(entries(["Audit", null]), "block")).toBe(false);
		expect(needsLock(entries(["Allow", 3]), "audit")).toBe(false);
		expect(needsLock(entries(["Allow", 3]), "block")).toBe(true);
		expect(needsLock(entries(["Block", 3]), "audit")).toBe(true);
		expect(needsLock([], "block")).toBe(false);
	});

	test("takes the entries of every selected policy", () => {
		const policy = (name: string) => ({
			kind: "KubeArmorHostPolicy" as const,
			name,
			place: { file: "p.yaml", line: 1, column: 1 },
			nodeSelector: { matchLabels: {}, place: { file: "p.yaml", line: 1, column: 1 } },
			action: "Block" as const,
			entries: entries(["Block", 3], ["Audit", 8]).map(({ entry }) => entry),
			notEnforced: [],
		});
		expect(selectEntries([policy("a"), policy("b")]).map((item) => [item.policy, item.entry.index])).toEqual([
			["a", 0],
			["a", 1],
			["b", 0],
			["b", 1],
		]);
	});

	test("a verdict is plain data", () => {
		const ruleset = new DeviceRuleset(entries(["Block", null], ["Allow", 3]), "block");
		const decision = decideDevice(ruleset, device("00|03:01:01"), { mode: "apply", consoleKeyboard: false });
		expect(structuredClone(decision)).toEqual(decision);
	});
});
