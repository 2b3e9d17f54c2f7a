import { describe, expect, test } from "bun:test";
import {
	attributesOf,
	entryOrder,
	matchesDevice,
	matchesTriple,
	matchKey,
	strictlyContains,
} from "../../../../src/enforcers/usb/compile/match.ts";
import type { DeviceMatch } from "../../../../src/enforcers/usb/model.ts";
import { anything } from "../support/shapes.ts";
import { device, entries } from "./sample.ts";

const match = (rest: Partial<DeviceMatch>): DeviceMatch => ({ ...anything, ...rest });

describe("strictlyContains", () => {
	test.each([
		[{}, { class: 3 }, true],
		[{ class: 3 }, {}, false],
		[{ class: 3 }, { class: 3 }, false],
		[{ class: 3 }, { class: 8 }, false],
		[{ class: 3 }, { class: 3, subClass: 0 }, true],
		[{ class: 3, level: 2 }, { class: 3, subClass: 1 }, false],
		[{ class: 3 }, { serial: ["A"] }, false],
		[{ serial: ["A", "B"] }, { serial: ["A"] }, true],
		[{ serial: ["A", "B"] }, { serial: ["B", "C"] }, false],
		[{ serial: ["A"] }, { serial: ["A"] }, false],
		[{ port: "1-4.*" }, { port: "1-4.1" }, true],
		[{ port: "1-4.*" }, { port: "1-4.1.*" }, false],
		[{ port: "1-4.1.*" }, { port: "1-4.*" }, false],
		[{ port: "1-4.1" }, { port: "1-4.*" }, false],
		[{ port: "*" }, { port: "1-1", class: 3 }, true],
		[{ vendorId: 1 }, { vendorId: 1, productId: 2 }, true],
		[{ connectType: "hotplug" as const }, { connectType: "hardwired" as const }, false],
		[{ connectType: null }, { connectType: "hardwired" as const }, true],
	])("%j, %j: %p", (outer, inner, expected) => {
		expect(strictlyContains(match(outer), match(inner))).toBe(expected);
	});
});

describe("matching", () => {
	test("ALL is every class but HUB; by name it is none", () => {
		const triple = { class: 3, subClass: 1, protocol: 1 };
		expect(matchesTriple(anything, triple, false)).toBe(true);
		expect(matchesTriple(anything, { ...triple, class: 0 }, false)).toBe(true);
		expect(matchesTriple(anything, { ...triple, class: 9 }, false)).toBe(false);
		expect(matchesTriple(anything, triple, true)).toBe(false);
		expect(matchesTriple(match({ class: 9 }), { ...triple, class: 9 }, true)).toBe(true);
	});

	test("an unknown value meets no condition", () => {
		const unknown = { class: 3, subClass: null, protocol: null };
		expect(matchesTriple(match({ class: 3 }), unknown, false)).toBe(true);
		expect(matchesTriple(match({ class: 3, subClass: 0 }), unknown, false)).toBe(false);
		const attributes = attributesOf(device("00|03:01:01"));
		expect(matchesDevice(match({ serial: ["A"] }), attributes)).toBe(false);
		expect(
			matchesDevice(match({ connectType: "hardwired" }), { ...attributes, connectType: "unknown" }),
		).toBe(false);
	});

	test("strings are exact", () => {
		const attributes = attributesOf(device("00|03:01:01", { serial: "ab", product: "P", manufacturer: "M" }));
		expect(
			matchesDevice(match({ serial: ["x", "ab"], product: ["P"], manufacturer: ["M"] }), attributes),
		).toBe(true);
		expect(matchesDevice(match({ serial: ["AB"] }), attributes)).toBe(false);
	});

	test("keys tell matches apart, and only those", () => {
		expect(matchKey(match({ serial: ["a", "b"] }))).not.toBe(matchKey(match({ serial: ['a","b'] })));
		expect(matchKey(match({ subClass: 0 }))).not.toBe(matchKey(match({})));
		expect(matchKey(match({ port: "1-1" }))).toBe(matchKey(match({ port: "1-1" })));
	});

	test("a port is its socket, on whichever bus", () => {
		const attributes = attributesOf(device("00|08:06:50", { port: "2-4", twin: "1-4" }));
		for (const port of ["2-4", "1-4", "1-*"]) expect(matchesDevice(match({ port }), attributes)).toBe(true);
		for (const port of ["2-5", "1-4.*"]) expect(matchesDevice(match({ port }), attributes)).toBe(false);
	});

	test("a device is known by its descriptors, and by what it must not show anywhere", () => {
		const hidden = attributesOf(device("00|08:06:50|ff:00:00>03:01:01", { descriptorsHash: "ab" }));
		expect(matchesDevice(match({ descriptorsHash: ["aa", "ab"] }), hidden)).toBe(true);
		expect(matchesDevice(match({ descriptorsHash: ["aa"] }), hidden)).toBe(false);
		expect(matchesDevice(match({ unlessAlso: [3] }), hidden)).toBe(false);
		expect(matchesDevice(match({ unlessAlso: [1, 14] }), hidden)).toBe(true);
		// The more must be absent, the more specific.
		expect(strictlyContains(match({ unlessAlso: [3] }), match({ unlessAlso: [1, 3] }))).toBe(true);
		expect(strictlyContains(match({}), match({ unlessAlso: [3] }))).toBe(true);
		expect(strictlyContains(match({ unlessAlso: [3] }), match({}))).toBe(false);
	});

	test("entries of equal action are named by policy, then position", () => {
		const [a, b] = entries(["Block", 3], ["Block", 3]);
		if (a === undefined || b === undefined) throw new Error("two entries");
		expect(entryOrder.compare(a, b)).toBeLessThan(0);
		expect(entryOrder.compare({ ...a, policy: "q" }, b)).toBeGreaterThan(0);
	});
});
