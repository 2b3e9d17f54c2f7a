/** USBGuard's documented rules and others, and what they mean for devices. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Finding } from "../../src/convert/finding.ts";
import { convertAll, formatOf, formats } from "../../src/convert/formats.ts";
import { policyText } from "../../src/convert/text.ts";
import { parseUsbRule } from "../../src/convert/usbguard/words.ts";
import { decideDevice } from "../../src/enforcers/usb/compile/decide.ts";
import { DeviceRuleset, selectEntries } from "../../src/enforcers/usb/compile/ruleset.ts";
import { devicePart } from "../../src/enforcers/usb/model.ts";
import type { UsbDevice } from "../../src/enforcers/usb/subject.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";

interface Asked extends Partial<UsbDevice> {
	readonly id?: string;
	/** "08:06:50 03:01:01", one for each interface. */
	readonly shows: string;
	/** The device's own class. */
	readonly own?: string;
}

function triple(text: string) {
	const [code = 0, subClass = 0, protocol = 0] = text.split(":").map((part) => Number.parseInt(part, 16));
	return { class: code, subClass, protocol };
}

function device({ id = "1234:5678", shows, own = "00:00:00", ...rest }: Asked): UsbDevice {
	const [vendorId = 0, productId = 0] = id.split(":").map((part) => Number.parseInt(part, 16));
	const interfaces = shows.split(" ").map((text, number) => ({ number, alternate: 0, ...triple(text) }));
	return {
		port: "1-1",
		level: 1,
		serial: null,
		product: null,
		manufacturer: null,
		connectType: "hotplug",
		twin: null,
		descriptorsHash: null,
		descriptors: {
			device: triple(own),
			vendorId,
			productId,
			bcdDevice: 0,
			configurations: [{ value: 1, interfaces }],
			malformed: null,
			odd: [],
		},
		...rest,
	};
}

function host(...rules: readonly string[]) {
	const text = `${rules.join("\n")}\n`;
	const format = formatOf(text);
	expect(format?.name).toBe("usbguard");
	const converted = format && convertAll(format, [{ file: "rules.conf", text }]);
	if (!converted?.ok) throw new Error(JSON.stringify(converted));
	const written = converted.conversions.flatMap(({ policies }) => policies.map(policyText)).join("---\n");
	const { documents } = parsePolicyFile("usbguard.yaml", written);
	const errors = documents
		.flatMap(({ diagnostics }) => diagnostics)
		.filter(({ severity }) => severity === "error");
	expect(errors).toEqual([]);
	// The posture that is not the default would say the same.
	const ruleset = new DeviceRuleset(selectEntries(devicePart.in(documents)), "audit");
	const findings: readonly Finding[] = converted.conversions.flatMap((one) => one.findings);
	return {
		text: written,
		findings,
		lost: findings.filter(({ kind }) => kind === "lost").map(({ line }) => line),
		state: (asked: Asked) =>
			decideDevice(ruleset, device(asked), { mode: "apply", consoleKeyboard: false }).state,
	};
}

describe("the documented examples", () => {
	test("disks and nothing else", () => {
		const { state, lost } = host("allow with-interface equals { 08:*:* }");
		expect(lost).toEqual([]);
		expect(state({ shows: "08:06:50" })).toBe("authorized");
		expect(state({ shows: "08:06:50 08:06:62" })).toBe("authorized");
		expect(state({ shows: "08:06:50 03:01:01" })).toBe("refused");
		expect(state({ shows: "03:01:01" })).toBe("refused");
		expect(state({ shows: "08:06:50 dc:01:01" })).not.toBe("authorized");
	});

	test("one key at one port, whose hash is told", () => {
		const { state, lost, text } = host(
			'allow 1050:0011 name "Yubico Yubikey II" serial "0001234567" via-port "1-2" hash "044b5e168d40ee0245478416caf3d998"',
			'reject via-port "1-2"',
		);
		const key = {
			id: "1050:0011",
			product: "Yubico Yubikey II",
			serial: "0001234567",
			port: "1-2",
			shows: "03:01:01",
		};
		expect(state(key)).toBe("authorized");
		expect(state({ ...key, serial: "0001234568" })).toBe("refused");
		expect(state({ ...key, port: "1-3" })).toBe("refused");
		expect(state({ shows: "08:06:50", port: "1-2" })).toBe("refused");
		expect(lost).toEqual([1]);
		expect(text).toContain("no rule after it allows anything");
	});

	test("suspicious combinations", () => {
		const { state, lost } = host(
			"allow with-interface equals { 08:*:* }",
			"reject with-interface all-of { 08:*:* 03:00:* }",
			"reject with-interface all-of { 08:*:* 03:01:* }",
			"reject with-interface all-of { 08:*:* e0:*:* }",
			"reject with-interface all-of { 08:*:* 02:*:* }",
		);
		expect(lost).toEqual([]);
		expect(state({ shows: "08:06:50" })).toBe("authorized");
		for (const other of ["03:00:01", "03:01:01", "e0:01:01", "02:06:00"])
			expect(state({ shows: `08:06:50 ${other}` })).toBe("refused");
	});

	test("conditions have no counterpart, and allow nothing", () => {
		const keyboards = "with-interface one-of { 03:00:01 03:01:01 }";
		const first = host(`allow ${keyboards} if !allowed-matches(${keyboards})`);
		expect([first.lost, first.state({ shows: "03:01:01" })]).toEqual([[1], "refused"]);
		const second = host("allow if random(0.1666)", "reject");
		expect([second.lost, second.state({ shows: "03:01:01" })]).toEqual([[1], "refused"]);
	});
});

describe("operators", () => {
	test.each([
		["allow with-interface one-of { 03:01:01 08:*:* }", "03:01:01", "authorized"],
		["allow with-interface one-of { 03:01:01 08:*:* }", "03:01:02", "refused"],
		["allow with-interface one-of { 03:01:01 08:*:* }", "08:06:50 0e:01:00", "partial"],
		["allow with-interface match-all { 03:*:* 08:*:* }", "08:06:50", "authorized"],
		["allow with-interface match-all { 03:*:* 08:*:* }", "08:06:50 0e:01:00", "refused"],
		["allow with-interface none-of { 03:*:* e0:*:* }", "08:06:50 0e:01:00", "authorized"],
		["allow with-interface none-of { 03:*:* e0:*:* }", "08:06:50 03:01:01", "refused"],
		["allow with-interface { 03:01:01 03:01:02 }", "03:01:01 03:01:02", "authorized"],
		["allow with-interface all-of { 08:*:* 0e:*:* }", "08:06:50 0e:01:00", "authorized"],
		["allow id one-of { 1234:5678 1234:5679 }", "03:01:01", "authorized"],
		["allow id match-all { 1234:* }", "03:01:01", "authorized"],
		["allow id { 1234:5678 1234:5679 }", "03:01:01", "refused"],
		['allow with-connect-type "hotplug" label "x"', "03:01:01", "authorized"],
		['allow with-connect-type "hardwired"', "03:01:01", "refused"],
		["allow id 1234:5678 if true", "03:01:01", "authorized"],
		["allow", "03:01:01", "authorized"],
		["block", "03:01:01", "refused"],
	])("%s: %s is %s", (rule, shows, state) => {
		expect(host(rule).state({ shows })).toBe(state as "refused");
	});

	test("a composite device that says so is not refused for it", () => {
		const { state } = host("allow with-interface match-all { 03:*:* 01:*:* }");
		expect(state({ shows: "03:01:01 01:01:00", own: "ef:02:01" })).toBe("authorized");
	});

	test("a block of everything is the last word, whatever is allowed after it", () => {
		const { state } = host('allow via-port "1-1"', "reject", "allow");
		expect([state({ shows: "08:06:50", port: "1-1" }), state({ shows: "08:06:50", port: "1-2" })]).toEqual([
			"authorized",
			"refused",
		]);
	});

	test("a block before an allow stands, behind the allows before it", () => {
		const { state, findings } = host(
			'allow id 1234:5678 serial "A"',
			"block id 1234:*",
			"block with-interface one-of { 03:*:* }",
			"allow",
		);
		expect(state({ shows: "03:01:01", serial: "A" })).toBe("authorized");
		expect(state({ shows: "08:06:50", serial: "B" })).toBe("refused");
		expect(state({ shows: "08:06:50", id: "1235:0001" })).toBe("authorized");
		expect(state({ shows: "03:01:01", id: "1235:0001" })).toBe("refused");
		expect(findings.map(({ message }) => message)).toContainEqual(expect.stringContaining("hubs pass"));
	});
});

test("what generate-policy writes: root hubs need nothing, an empty serial number and hashes are told", () => {
	const { state, lost } = host(
		'allow id 1d6b:0002 serial "0000:00:14.0" name "xHCI Host Controller" hash "a=" parent-hash "b=" with-interface 09:00:00 with-connect-type ""',
		'allow id 046d:c52b serial "" name "USB \\"Receiver\\"" hash "c=" via-port "1-4" with-interface { 03:01:01 03:01:02 03:00:00 } with-connect-type "hotplug"',
	);
	const receiver = { id: "046d:c52b", product: 'USB "Receiver"', port: "1-4" };
	expect(state({ ...receiver, shows: "03:01:01 03:01:02 03:00:00" })).toBe("authorized");
	expect(state({ ...receiver, shows: "03:01:01", port: "1-5" })).toBe("refused");
	expect(lost).toEqual([2]);
});

test.each([
	'allow hash "x"',
	'block id 1234:5678 hash "x"',
	'allow serial ""',
	"allow id none-of { 1234:5678 }",
	"allow id *:5678",
	"block with-interface all-of { 03:*:* 08:*:* }",
	"block with-interface none-of { 03:*:* }",
	"allow with-interface 03:*:01",
	'allow via-port "x"',
	"allow colour red",
])("%s has no counterpart, and allows nothing", (rule) => {
	const { state, lost } = host(rule, 'allow id ffff:ffff name "last"');
	expect(lost).toEqual([1]);
	expect(state({ shows: "08:06:50", serial: "1" })).toBe("refused");
});

test("random rules about devices with one function say what the first that matches says", () => {
	const one = fc.record({
		target: fc.constantFrom("allow", "block", "reject"),
		id: fc.constantFrom(null, "1234:*", "1234:0001", "1235:0001"),
		serial: fc.constantFrom(null, "A", "B"),
		port: fc.constantFrom(null, "1-1", "1-2"),
		shows: fc.constantFrom(null, "03:*:*", "03:01:*", "03:01:01", "08:*:*"),
	});
	type Rule = typeof one extends fc.Arbitrary<infer T> ? T : never;
	const write = ({ target, id, serial, port, shows }: Rule) =>
		[
			target,
			id === null ? "" : `id ${id}`,
			serial === null ? "" : `serial "${serial}"`,
			port === null ? "" : `via-port "${port}"`,
			shows === null ? "" : `with-interface one-of { ${shows} }`,
		].join(" ");
	const like = (pattern: string | null, text: string) =>
		pattern === null || pattern.split(":").every((part, i) => part === "*" || part === text.split(":")[i]);
	const devices = ["1234:0001", "1234:0002", "1235:0001"].flatMap((id) =>
		["A", "C"].flatMap((serial) =>
			["1-1", "1-3"].flatMap((port) =>
				["03:01:01", "03:01:02", "03:00:00", "08:06:50", "0e:01:00"].map((shows) => ({
					id,
					serial,
					port,
					shows,
				})),
			),
		),
	);
	fc.assert(
		fc.property(fc.array(one, { minLength: 1, maxLength: 8 }), (rules) => {
			const { state, text, lost } = host(...rules.map(write));
			expect(lost).toEqual([]);
			for (const asked of devices) {
				const first = rules.find(
					(rule) =>
						like(rule.id, asked.id) &&
						(rule.serial === null || rule.serial === asked.serial) &&
						(rule.port === null || rule.port === asked.port) &&
						like(rule.shows, asked.shows),
				);
				const expected = first?.target === "allow" ? "authorized" : "refused";
				if (state(asked) !== expected)
					throw new Error(`${JSON.stringify(asked)} is not ${expected}\n${text}`);
			}
		}),
		{ numRuns: 150 },
	);
});

describe("hostile text", () => {
	test("quotes and braces that do not end, and other words, are no rule", () => {
		for (const line of ['allow name "x', "allow id { 1:2", "allow id", "permit", "allow { } x", '"allow"x'])
			expect(parseUsbRule(line)).toBeNull();
		expect(parseUsbRule('block name "an if { \\x41"')?.attributes[0]?.values).toEqual(["an if { A"]);
	});

	test("a line of quotes costs no more than its length", () => {
		expect(parseUsbRule(`allow name ${'\\"'.repeat(500_000)}`)).toBeNull();
	});

	test("combinations beyond what is converted are a problem, and no text makes the reader throw", () => {
		const usbguard = formats.find(({ name }) => name === "usbguard");
		const convert = (text: string) => usbguard && convertAll(usbguard, [{ file: "x", text }]);
		const many = (name: string, write: (i: number) => string) =>
			`${name} one-of { ${Array.from({ length: 100 }, (_, i) => write(i)).join(" ")} }`;
		const rule = `allow ${many("serial", (i) => `"${i}"`)} ${many("name", (i) => `"${i}"`)}`;
		expect(convert(rule)).toMatchObject({ ok: false });
		const word = fc.constantFrom(
			"allow",
			"block",
			"id",
			"{",
			"}",
			"1:2",
			'"',
			"if",
			"with-interface",
			"equals",
			"03:*:*",
			"hash",
			"\\",
		);
		fc.assert(
			fc.property(fc.array(fc.oneof(word, fc.string())), (words) => {
				expect(convert(words.join(" "))).toBeDefined();
				expect(convert(`allow ${words.join(" ")}`)).toBeDefined();
			}),
			{ numRuns: 300 },
		);
	});
});
