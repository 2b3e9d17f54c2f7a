/** Each format against golden files, schemas of the products that read it, and hostile words. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { escapeForTerminal } from "../../../src/base/terminal.ts";
import { type SinkFormat, sinkFormats } from "../../../src/config/sinks.ts";
import type { Alert } from "../../../src/report/alert.ts";
import { formatAlert, readAlert } from "../../../src/report/formats/format.ts";
import { schemaProblems } from "../../support/json-schema.ts";
import { sampleAlert } from "../sample.ts";

const folder = join(import.meta.dir, "../../fixtures/formats");

const data = (EventData: Alert["EventData"]) => ({ EventData });
const samples: Readonly<Record<string, Alert>> = {
	blocked: sampleAlert({
		...data({
			SourceIP: "192.0.2.7",
			SourcePort: "53262",
			DestinationIP: "192.0.2.1",
			DestinationPort: "22",
			Protocol: "TCP",
			Interface: "eth0",
			RuleIndex: "2",
		}),
		Action: "Block",
		Result: "Permission denied",
		Severity: "8",
	}),
	told: sampleAlert({
		...data({
			SourceIP: "2001:db8::1",
			DestinationIP: "2001:db8::2",
			Protocol: "ICMPv6",
			Hook: "forward",
			WouldBe: "Block",
		}),
		PolicyName: "DefaultPosture",
		Resource: "EGRESS",
		Action: "Audit (Block)",
		Tags: "",
		ATags: [],
		Message: "",
		Severity: "1",
	}),
	stick: sampleAlert({
		...data({
			Class: "8",
			SubClass: "6",
			Protocol: "80",
			Level: "1",
			SysPath: "/sys/devices/x",
			VendorID: "0781",
			ProductID: "5567",
			Port: "1-4",
			Serial: "4C53",
			Product: "Cruzer",
			Manufacturer: "SanDisk",
			Reason: "an entry blocks it",
		}),
		Type: "MatchedHostPolicy",
		Operation: "Device",
		Resource: "USB MASS-STORAGE",
		Enforcer: "USBDeviceHandler",
		Action: "Block",
		Result: "Permission denied",
		Severity: "10",
	}),
	unplugged: sampleAlert({
		...data({ Class: "3", SubClass: "1", Protocol: "1", Level: "1", SysPath: "/sys/devices/x" }),
		Type: "HostLog",
		Operation: "Device",
		Resource: "USB HID",
		Enforcer: "USBDeviceHandler",
		PolicyName: "",
		Action: "Audit",
		Result: "Removed",
		Severity: "1",
	}),
	drift: sampleAlert({
		...data({ PID: "12", Process: "nft", Changes: "deleted a|rule=1\nand more" }),
		Type: "SystemEvent",
		Operation: "System",
		Resource: "table inet kubearmor",
		PolicyName: "",
		Tags: "DRIFT",
		ATags: ["DRIFT"],
		Message: "Somebody else changed the table",
		NodeID: "",
	}),
};

const shown = (format: SinkFormat, alert: Alert) =>
	formatAlert(format, alert, JSON.stringify(alert), "1.2.3");

describe.each(sinkFormats.filter((format) => format !== "kubearmor"))("%s", (format) => {
	const golden = readFileSync(join(folder, `${format}.txt`), "utf8")
		.trimEnd()
		.split("\n");

	test("is as the golden file says", () => {
		expect(Object.values(samples).map((alert) => shown(format, alert))).toEqual(golden);
	});
});

test("kubearmor is the alert's own line", () => {
	for (const alert of Object.values(samples)) expect(JSON.parse(shown("kubearmor", alert))).toEqual(alert);
});

describe("schemas", () => {
	test.each(["ecs", "ocsf"] as const)("%s: every field is one that it has, of its type", (format) => {
		const schema = JSON.parse(readFileSync(join(folder, `${format}.schema.json`), "utf8"));
		for (const alert of Object.values(samples))
			expect(schemaProblems(JSON.parse(shown(format, alert)), schema)).toEqual([]);
		fc.assert(
			fc.property(alerts, (alert) => {
				expect(schemaProblems(JSON.parse(shown(format, alert)), schema)).toEqual([]);
			}),
			{ numRuns: 50 },
		);
	});
});

const text = fc.oneof(
	fc.string({ unit: "binary", maxLength: 30 }),
	fc.constantFrom("a|b", "c\\", "k=v", 'd"]', "line\nCEF:0|x", "\u001b[31m", "\u202e", "\ud800", '=|\\]"'),
);
const alerts: fc.Arbitrary<Alert> = fc
	.record({
		base: fc.constantFrom(...Object.values(samples)),
		PolicyName: text,
		Message: text,
		Tags: text,
		HostName: text,
		Resource: text,
		details: fc.dictionary(fc.constantFrom("Serial", "Product", "Interface", "RuleIndex", "Process"), text),
	})
	.map(({ base, details, ...words }) => ({
		...base,
		...words,
		EventData: { ...base.EventData, ...details },
	}));

/** What a reader of CEF gets: the header's fields, and the extension's. */
function readCef(line: string): {
	readonly header: readonly string[];
	readonly fields: ReadonlyMap<string, string>;
} {
	const header: string[] = [];
	let at = 0;
	while (header.length < 7) {
		let field = "";
		for (; line[at] !== "|"; at++) {
			if (line[at] === "\\") at++;
			field += line[at];
		}
		header.push(field);
		at++;
	}
	const rest = line.slice(at);
	const keys = [...rest.matchAll(/(?:^| )([A-Za-z0-9]+)=/g)];
	const fields = keys.map((key, index): [string, string] => {
		const from = key.index + key[0].length;
		const value = rest.slice(from, keys[index + 1]?.index ?? rest.length);
		return [key[1] ?? "", value.replace(/\\(.)/gsu, "$1")];
	});
	return { header, fields: new Map(fields) };
}

const onOneLine = (words: string) => escapeForTerminal(words.replace(/[\p{Cc}\u2028\u2029]+/gu, " "));

test("whatever words stand in an alert: one line that no terminal obeys, and readers find the same words", () => {
	fc.assert(
		fc.property(alerts, fc.constantFrom(...sinkFormats), (alert, format) => {
			const line = shown(format, alert);
			if (format !== "kubearmor") expect(line).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/u);
			if (format !== "cef") {
				expect(typeof JSON.parse(line)).toBe("object");
				return;
			}
			const { header, fields } = readCef(line);
			expect(header.slice(0, 4)).toEqual(["CEF:0", "Portward", "Portward", "1.2.3"]);
			if (alert.Message !== "") expect(fields.get("msg")).toBe(onOneLine(alert.Message));
			if (alert.PolicyName !== "") expect(fields.get("cs1")).toBe(onOneLine(alert.PolicyName));
			expect(fields.get("act")).toBe(alert.Action);
		}),
		{ numRuns: 300 },
	);
});

describe("what is read of a line", () => {
	test.each(["", "{", "7", "null", "[]", "{}", JSON.stringify({ ...sampleAlert(), EventData: { a: 1 } })])(
		"%j is no alert",
		(line) => {
			expect(readAlert(line)).toBeNull();
		},
	);

	test("an alert is", () => {
		expect(readAlert(JSON.stringify(samples.stick))).toEqual(samples.stick ?? null);
	});
});
