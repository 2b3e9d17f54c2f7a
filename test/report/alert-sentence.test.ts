import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Alert, auditedBlock } from "../../src/report/alert.ts";
import { alertSentence } from "../../src/report/alert-sentence.ts";
import { sampleAlert } from "./sample.ts";

const web = {
	SourceIP: "10.0.1.200",
	SourcePort: "51234",
	DestinationIP: "10.0.1.1",
	DestinationPort: "5432",
	Protocol: "TCP",
	Interface: "eth0",
	RuleIndex: "1",
};

const alert = (EventData: Alert["EventData"], overrides: Partial<Alert> = {}) =>
	sampleAlert({ PolicyName: "database-only", Action: "Block", Message: "", EventData, ...overrides });
const sentence = (...parts: Parameters<typeof alert>) => alertSentence(alert(...parts)).sentence;

describe("a packet", () => {
	test.each<[string, Alert["EventData"], Partial<Alert>, string]>([
		["that comes in", web, {}, "10.0.1.200 → tcp 5432 on eth0: blocked by database-only"],
		[
			"that goes out",
			{ ...web, DestinationIP: "203.0.113.9", DestinationPort: "443" },
			{ Resource: "EGRESS" },
			"this host → tcp 443 of 203.0.113.9 on eth0: blocked by database-only",
		],
		[
			"that passes",
			web,
			{ Action: "Audit" },
			"10.0.1.200 → tcp 5432 on eth0: passed, audited by database-only",
		],
		[
			"that enforcing would block",
			{ ...web, WouldBe: "Block" },
			{ Action: "Audit" },
			"10.0.1.200 → tcp 5432 on eth0: passed, would be blocked by database-only",
		],
		[
			"that a staged policy would block",
			web,
			{ Action: auditedBlock },
			"10.0.1.200 → tcp 5432 on eth0: passed, would be blocked by database-only",
		],
		[
			"of a protocol without ports",
			{ SourceIP: "2001:db8::1", Protocol: "ICMPv6", Interface: "eth0" },
			{ PolicyName: "DefaultPosture" },
			"2001:db8::1 → icmpv6 on eth0: blocked by DefaultPosture",
		],
		[
			"of a protocol without a name",
			{ SourceIP: "192.0.2.1", Protocol: "Proto-253" },
			{},
			"192.0.2.1 → protocol 253: blocked by database-only",
		],
		["that was cut off", {}, {}, "somebody → what cannot be read: blocked by database-only"],
		[
			"that a staged policy would block",
			{ ...web, WouldBe: "Block", Staged: "database-only" },
			{ Action: "Audit (Block)" },
			"10.0.1.200 → tcp 5432 on eth0: passed, would be blocked by database-only, which is staged",
		],
		[
			"that the posture would block because of staged policies",
			{ ...web, WouldBe: "Block", Staged: "ssh,web" },
			{ Action: "Audit (Block)", PolicyName: "DefaultPosture" },
			"10.0.1.200 → tcp 5432 on eth0: passed, would be blocked by DefaultPosture, once ssh and web are promoted",
		],
		[
			"for a guest",
			{ ...web, Hook: "forward", GuestIP: "172.17.0.2", GuestPort: "5433" },
			{},
			"10.0.1.200 → tcp 5432 on eth0 for guest 172.17.0.2 port 5433: blocked by database-only",
		],
		[
			"of a guest",
			{
				...web,
				DestinationIP: "203.0.113.9",
				Hook: "forward",
				GuestIP: "172.17.0.2",
				Container: `${"a".repeat(64)},${"b".repeat(64)}`,
			},
			{ Resource: "EGRESS" },
			"guest 172.17.0.2 (container aaaaaaaaaaaa, bbbbbbbbbbbb) → tcp 5432 of 203.0.113.9 on eth0: blocked by database-only",
		],
	])("%s", (_, data, overrides, expected) => {
		expect(sentence(data, overrides)).toBe(expected);
	});

	test("has what its policy says as a note", () => {
		expect(alertSentence(alert(web, { Message: "ask the DBA" })).note).toBe("ask the DBA");
	});
});

describe("a function of a USB device", () => {
	const stick = {
		Class: "8",
		Port: "1-4.1",
		VendorID: "0781",
		ProductID: "5567",
		Manufacturer: "ACME",
		Product: "Stick",
		Serial: "4C53",
		Interface: "0",
	};
	const usb: Partial<Alert> = {
		Operation: "Device",
		Resource: "USB MASS-STORAGE",
		PolicyName: "sticks",
		Result: "Permission denied",
	};
	const device = "USB MASS-STORAGE (interface 0) of ACME Stick 0781:5567 (4C53) on port 1-4.1";

	test.each<[string, Partial<Alert>, Record<string, string>, string]>([
		["refused", {}, {}, "refused by sticks"],
		["refused by nobody's policy", { PolicyName: "" }, {}, "refused"],
		["allowed", { Action: "Allow", Result: "Passed" }, {}, "allowed by sticks"],
		["audited", { Action: "Audit", Result: "Passed" }, {}, "let in, audited by sticks"],
		[
			"audited by nobody's policy",
			{ Action: "Audit", Result: "Passed", PolicyName: "" },
			{},
			"let in, audited",
		],
		[
			"that enforcing would refuse",
			{ Action: "Audit", Result: "Passed" },
			{ WouldBe: "Block" },
			"let in, would be refused by sticks",
		],
		["withheld", { Action: "Allow" }, {}, "refused, though sticks lets it in"],
		["exempt", { Result: "Passed" }, {}, "let in, though sticks refuses it"],
		["gone", { Result: "Removed" }, {}, "unplugged"],
	])("%s", (_, overrides, data, expected) => {
		expect(sentence({ ...stick, ...data }, { ...usb, ...overrides })).toBe(`${device}: ${expected}`);
	});

	test("that says nothing of itself", () => {
		expect(sentence({ Port: "2-1" }, usb)).toBe(
			"USB MASS-STORAGE of a device on port 2-1: refused by sticks",
		);
	});
});

describe("an event of the daemon", () => {
	const system: Partial<Alert> = { Operation: "System", Resource: "table inet kubearmor", PolicyName: "" };

	test("is its message with the details in words", () => {
		const found = alertSentence(
			alert(
				{ Generation: "7", PID: "42", Process: "nft", RuleIndex: "1" },
				{ ...system, Message: "Somebody else changed the firewall's table; it is being restored" },
			),
		);
		expect(found).toEqual({
			sentence:
				"Somebody else changed the firewall's table; it is being restored (generation 7, PID 42, process nft, rule index 1)",
			note: "",
		});
	});

	test("tells no detail twice", () => {
		const Message = "A flow that is new: ingress from 10.0.9.9 to tcp 5432 on eth0";
		expect(
			sentence(
				{ Direction: "ingress", Remote: "10.0.9.9", Port: "5432", Interface: "eth", UID: "0", Hook: "input" },
				{ ...system, Message },
			),
		).toBe(`${Message} (interface eth, UID 0, hook input)`);
	});

	test("tells who it was, whatever he calls himself", () => {
		const Message = "Somebody else changed the firewall's table; it is being restored";
		expect(sentence({ Process: "table", PID: "7" }, { ...system, Message })).toBe(
			`${Message} (process table, PID 7)`,
		);
	});

	test("tells an address that only begins another one", () => {
		const Message = "A flow that is new: ingress from fd00::1:2 to icmpv6 on eth0";
		expect(sentence({ Remote: "fd00::1" }, { ...system, Message })).toBe(`${Message} (remote fd00::1)`);
	});

	test("is one line", () => {
		expect(sentence({ Reason: "two:\nwords" }, { ...system, Message: "Refused" })).toBe(
			"Refused (reason two: words)",
		);
	});

	test("about a flow has the port of a service", () => {
		expect(sentence({ Port: "80", Remote: "10.0.1.5" }, { ...system, Message: "It is new" })).toBe(
			"It is new (port 80, remote 10.0.1.5)",
		);
	});

	test("about a device names it", () => {
		expect(
			sentence(
				{ Port: "1-4", VendorID: "0781", ProductID: "5567", Error: "EIO" },
				{ ...system, Resource: "USB 1-4", Message: "It failed" },
			),
		).toBe("0781:5567 on port 1-4: It failed (error EIO)");
	});

	test("without a message is what it is about", () => {
		expect(sentence({}, system)).toBe("table inet kubearmor");
	});
});

test("any alert is a sentence, also of another version", () => {
	fc.assert(
		fc.property(
			fc.record({
				Operation: fc.option(fc.constantFrom("NetworkFirewall", "Device", "System", "New"), {
					nil: undefined,
				}),
				Resource: fc.string(),
				PolicyName: fc.string(),
				Action: fc.oneof(
					fc.constantFrom("Allow", "Audit", "Block", auditedBlock, "constructor"),
					fc.string(),
				),
				Result: fc.option(fc.string(), { nil: undefined }),
				Message: fc.string(),
				EventData: fc.option(fc.dictionary(fc.string(), fc.string()), { nil: undefined }),
			}),
			(told) => {
				expect(typeof alertSentence(told).sentence).toBe("string");
				expect(alertSentence(told).sentence).not.toContain("[native code]");
			},
		),
	);
});
