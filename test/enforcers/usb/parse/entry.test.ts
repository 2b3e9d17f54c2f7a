import { describe, expect, test } from "bun:test";
import type { Diagnostic } from "../../../../src/base/diagnostic.ts";
import { NodeReader } from "../../../../src/document/nodes.ts";
import { Lines, parseSyntax } from "../../../../src/document/syntax.ts";
import type { DeviceEntry } from "../../../../src/enforcers/usb/model.ts";
import { readDeviceEntry } from "../../../../src/enforcers/usb/parse/entry.ts";

/** Reads one entry written as a YAML flow mapping. */
function read(source: string): { entry: DeviceEntry | null; diagnostics: readonly Diagnostic[] } {
	const { contents } = parseSyntax(source);
	if (contents === null) throw new Error("no contents");
	const reader = new NodeReader("p.yaml", new Lines({ source, firstLine: 1 }), contents);
	const inherited = { action: "Block" as const, severity: 1, tags: [], message: "" };
	const item = { node: contents, path: { parent: null, key: "entry" }, index: 2 };
	const entry = readDeviceEntry(reader, item, inherited);
	return { entry, diagnostics: reader.diagnostics };
}

describe("readDeviceEntry", () => {
	test("reads every attribute", () => {
		const { entry, diagnostics } = read(
			`{class: hid, subClass: 0, protocol: 255, level: 2, vendorId: "046D", productId: "0xc31c",
			serial: [B, A, B], product: "One", manufacturer: [M], port: "1-4.***", connectType: Hotplug}`,
		);
		expect(diagnostics).toEqual([]);
		expect(entry).toMatchObject({
			index: 2,
			place: { file: "p.yaml", line: 1, column: 1 },
			match: {
				class: 3,
				subClass: 0,
				protocol: 255,
				level: 2,
				vendorId: 0x046d,
				productId: 0xc31c,
				serial: ["A", "B"],
				product: ["One"],
				manufacturer: ["M"],
				port: "1-4.*",
				connectType: "hotplug",
			},
		});
	});

	test("reads what looks at the device as a whole", () => {
		const hash = "AB".repeat(32);
		const { entry, diagnostics } = read(
			`{class: 8, action: Allow, descriptorsHash: ["sha256:${hash}", "${hash}"], unlessAlso: [hid, 0x0e, HID]}`,
		);
		expect(diagnostics).toEqual([]);
		expect(entry?.match).toMatchObject({ descriptorsHash: [hash.toLowerCase()], unlessAlso: [3, 14] });
		expect(read("{class: 8, action: Allow, unlessAlso: HID}").entry?.match.unlessAlso).toEqual([3]);
		for (const type of ["unknown", "not used"])
			expect(read(`{class: 8, connectType: "${type}"}`).entry?.match.connectType).toBe(type as "unknown");
	});

	test.each([
		["{class: 8, unlessAlso: [HID]}", "unless-also-action"],
		["{class: 8, action: Audit, unlessAlso: [HID]}", "unless-also-action"],
		["{class: 8, action: Allow, unlessAlso: []}", "empty-list"],
		["{class: 8, action: Allow, unlessAlso: [ALL]}", "bad-class"],
		["{class: 8, action: Allow, unlessAlso: [HIDD]}", "bad-class"],
		["{class: 8, action: Allow, unlessAlso: [8]}", "cannot-match"],
		["{class: 8, descriptorsHash: abc}", "bad-hash"],
		['{class: 8, serial: "4C*"}', "literal-wildcard"],
		['{class: 8, product: ["A", "*"]}', "literal-wildcard"],
		["{class: 8, protocol: 50}", "decimal-protocol"],
		["{class: MASS-STORAGE, subClass: 6, protocol: 62}", "decimal-protocol"],
	])("%s: %s", (source, code) => {
		const { diagnostics } = read(source);
		expect(diagnostics.map((item) => item.code)).toEqual([code]);
		expect(diagnostics[0]?.hint).not.toBe("");
	});

	test.each([
		...["subClass", "protocol", "level", "vendorId", "productId", "serial", "product", "manufacturer"],
		...["port", "connectType", "descriptorsHash", "unlessAlso"],
	])("an Allow whose %s has no value is refused; elsewhere it is warned of", (name) => {
		for (const value of ["", "~", "null"]) {
			const { diagnostics } = read(`{class: 8, action: Allow, ${name}: ${value}}`);
			const [error] = diagnostics.filter(({ severity }) => severity === "error");
			expect(error).toMatchObject({ code: "empty-field", path: `entry.${name}` });
			expect(error?.hint).toContain(`leave ${name} out`);
		}
		if (name === "unlessAlso") return;
		expect(read(`{class: 8, ${name}: }`).diagnostics).toMatchObject([
			{ severity: "warning", code: "empty-field" },
		]);
	});

	test("a protocol of disks in hexadecimal, and other classes' decimal ones, are no matter", () => {
		for (const source of [
			"{class: 8, protocol: 0x50}",
			"{class: 8, protocol: 80}",
			"{class: 3, protocol: 50}",
		])
			expect(read(source).diagnostics).toEqual([]);
	});

	test.each(["8", '"8"', "0x8", '"0x08"', "MASS-STORAGE", "mass-storage"])("class %s is 8 (V21)", (text) => {
		expect(read(`{class: ${text}}`)).toMatchObject({ entry: { match: { class: 8 } }, diagnostics: [] });
	});

	test.each([
		["{subClass: 1}", "missing-field", "entry"],
		["{class: 0}", "bad-class", "entry.class"],
		['{class: "0"}', "bad-class", "entry.class"],
		["{class: 256}", "bad-class", "entry.class"],
		["{class: -1}", "bad-class", "entry.class"],
		["{class: 08h}", "bad-class", "entry.class"],
		["{class: 08}", "bad-class", "entry.class"],
		['{class: ""}', "bad-class", "entry.class"],
		["{class: KEYBOARD}", "bad-class", "entry.class"],
		["{class: [HID]}", "wrong-type", "entry.class"],
		["{class: true}", "wrong-type", "entry.class"],
		["{class: HID, subClass: 256}", "out-of-range", "entry.subClass"],
		["{class: HID, subClass: -1}", "out-of-range", "entry.subClass"],
		["{class: HID, protocol: '1'}", "wrong-type", "entry.protocol"],
		["{class: HID, level: 0}", "out-of-range", "entry.level"],
		["{class: HID, vendorId: 1234}", "wrong-type", "entry.vendorId"],
		["{class: HID, vendorId: 05e3}", "wrong-type", "entry.vendorId"],
		["{class: HID, vendorId: 12345z}", "bad-id", "entry.vendorId"],
		["{class: HID, vendorId: '12345'}", "bad-id", "entry.vendorId"],
		["{class: HID, serial: []}", "empty-list", "entry.serial"],
		["{class: HID, serial: 123}", "wrong-type", "entry.serial"],
		['{class: HID, serial: [a, ""]}', "empty-text", "entry.serial[1]"],
		["{class: HID, port: usb1}", "bad-port", "entry.port"],
		["{class: HID, port: '1-4:1.0'}", "bad-port", "entry.port"],
		["{class: HID, port: eth0}", "bad-port", "entry.port"],
		["{class: HID, connectType: internal}", "bad-connect-type", "entry.connectType"],
		["{class: HID, action: Deny}", "bad-action", "entry.action"],
		["{class: HID, subclass: 1}", "unknown-field", "entry.subclass"],
		["{class: HID, name: x}", "unknown-field", "entry.name"],
		["HID", "wrong-type", "entry"],
	])("%s: %s", (source, code, path) => {
		const { diagnostics } = read(source);
		expect(diagnostics).toMatchObject([{ severity: "error", code, path, line: 1 }]);
		const [first] = diagnostics;
		expect(`${first?.hint}${first?.message}`).not.toBe("");
	});

	test.each([
		["{class: HID, subclass: 1}", "did you mean subClass?"],
		["{class: HID, vendorId: 0781}", 'put it in quotes: "0781"'],
		["{class: HID, port: '1-4:1.0'}", 'leave the interface out: write "1-4"'],
		["{class: HID, port: usb1}", 'a root hub is never refused; write "1-*" for what is on it'],
		["{class: KEYBORD}", "write a class name"],
	])("%s: the remedy is: %s", (source, hint) => {
		expect(read(source).diagnostics[0]?.hint).toStartWith(hint);
	});

	test.each([
		["{class: HID, level: 7}", "cannot-match"],
		["{class: HID, productId: c31c}", "product-without-vendor"],
		[`{class: HID, serial: ${"x".repeat(127)}}`, "cannot-match"],
	])("%s: a warning, %s", (source, code) => {
		const { entry, diagnostics } = read(source);
		expect(diagnostics).toMatchObject([{ severity: "warning", code }]);
		expect(entry).not.toBeNull();
	});

	test("an unquoted hexadecimal id is what it looks like", () => {
		expect(read("{class: HID, vendorId: 046d, productId: 0xc31c}").entry?.match).toMatchObject({
			vendorId: 0x46d,
			productId: 0xc31c,
		});
	});
});
