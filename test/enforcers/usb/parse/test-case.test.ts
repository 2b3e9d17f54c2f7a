import { describe, expect, test } from "bun:test";
import { asideOf } from "../../../../src/document/parse.ts";
import { deviceCaseSchema } from "../../../../src/enforcers/usb/parse/test-case.ts";
import { parsePolicyFile } from "../../../../src/engine/parse.ts";
import { policyTestKind } from "../../../../src/engine/testing/kind.ts";
import { takes } from "../../../support/json-schema.ts";

function parsed(device: object, more: object = {}) {
	const one = { device, expect: "Block", ...more };
	const document = {
		apiVersion: "portward.io/v1",
		kind: "PortwardTest",
		metadata: { name: "usb" },
		spec: { cases: [one] },
	};
	const [only] = parsePolicyFile("t.yaml", JSON.stringify(document)).documents;
	if (only === undefined) throw new Error("no document");
	const found = asideOf(policyTestKind, only)[0]?.otherCases[0];
	return { found, diagnostics: only.diagnostics, fits: takes(one, deviceCaseSchema) };
}

test("a device is what its fields say, and its classes are all that it shows", () => {
	const device = {
		class: "MASS-STORAGE",
		vendorId: "0951",
		productId: "1666",
		serial: "A1",
		port: "1-4.2",
		also: ["HID"],
	};
	const { found, diagnostics, fits } = parsed(device, { name: "a stick", policy: "no-sticks" });
	expect([diagnostics, fits]).toEqual([[], true]);
	expect(found).toMatchObject({ name: "a stick", expect: "Block", policy: "no-sticks" });
	expect(found?.query).toMatchObject({
		class: 8,
		vendorId: 0x951,
		productId: 0x1666,
		serial: "A1",
		level: 2,
	});
	expect(found?.query.classes).toEqual(new Set([8, 3]));
	expect(parsed({ class: 3 }).found?.query).toMatchObject({ class: 3, level: null, serial: null });
});

describe("what is wrong is told", () => {
	test.each<readonly [object, object, string]>([
		[{}, {}, "missing-field"],
		[{ class: "ALL" }, {}, "bad-class"],
		[{ class: "FLOPPY" }, {}, "bad-class"],
		[{ class: "HID", vendor: "1" }, {}, "unknown-field"],
		[{ class: "HID", serial: ["a", "b"] }, {}, "wrong-type"],
		[{ class: "HID", port: "1-*" }, {}, "bad-port"],
		[{ class: "HID", also: ["ALL"] }, {}, "bad-class"],
		[{ class: "HID", unlessAlso: ["AUDIO"] }, {}, "unknown-field"],
		[{ class: "HID" }, { expect: undefined }, "missing-field"],
		[{ class: "HID" }, { port: 22 }, "unknown-field"],
		[{ class: "HID" }, { expect: "Deny" }, "bad-action"],
	])("%j with %j: %s", (device, more, code) => {
		const { found, diagnostics } = parsed(device, more);
		expect(found).toBeUndefined();
		expect(diagnostics.map((one) => one.code)).toContain(code);
	});
});
