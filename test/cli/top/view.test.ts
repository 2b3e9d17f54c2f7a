import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { TopAlert, TopRule, TopSample } from "../../../src/cli/top/sample.ts";
import { dropsOf, orders, ratedRules, topJson, topLines } from "../../../src/cli/top/view.ts";
import { sampleAlert } from "../../report/sample.ts";
import { violations } from "../../support/json-schema.ts";

const time = Date.parse("2026-01-02T03:04:05Z");
const rule = (policy: string, packets: number, over: Partial<TopRule> = {}): TopRule => ({
	policy,
	direction: "ingress",
	index: 0,
	action: "Allow",
	packets,
	lastMatch: new Date(time - 3000).toISOString(),
	...over,
});
const sample = (over: Partial<TopSample> = {}): TopSample => ({
	time,
	clock: 2000,
	hostname: "vm1",
	ready: { ready: true, body: "enforced" },
	rules: [],
	blocked: 0,
	unmatched: 0,
	invalid: 0,
	posture: "block",
	talkers: [],
	alerts: [],
	...over,
});
const before = sample({ clock: 0, rules: [rule("a", 10), rule("b", 50), rule("c", 9)] });
const now = sample({ rules: [rule("a", 30), rule("b", 50), rule("c", 5), rule("d", 70)] });

describe("rules", () => {
	test("have their packets a second, but where there is nothing to compare with", () => {
		const rates = ratedRules(before, now, "name").map(({ policy, perSecond }) => [policy, perSecond]);
		expect(rates).toEqual([
			["a", 10],
			["b", 0],
			["c", null],
			["d", null],
		]);
		expect(ratedRules(null, now, "name")[0]?.perSecond).toBeNull();
	});

	test.each([
		["rate", "adbc"],
		["packets", "dbac"],
		["name", "abcd"],
	] as const)("stand by %s", (order, expected) => {
		expect(
			ratedRules(before, now, order)
				.map(({ policy }) => policy)
				.join(""),
		).toBe(expected);
	});

	test("of one policy stand by direction and place", () => {
		const rules = [
			rule("a", 1, { direction: "egress" }),
			rule("a", 1, { index: 2 }),
			rule("a", 1, { index: 1 }),
		];
		const found = ratedRules(null, sample({ rules }), "name");
		expect(found.map(({ direction, index }) => `${direction}${index}`)).toEqual([
			"ingress1",
			"ingress2",
			"egress0",
		]);
	});
});

const usb: TopAlert = {
	...sampleAlert({ Enforcer: "USBDeviceHandler", Operation: "Device" }),
	EventData: { Port: "1-4" },
};
const drop: TopAlert = {
	...sampleAlert({ Action: "Block" }),
	EventData: { SourceIP: "192.0.2.7", Protocol: "ICMP" },
};

test("a screen has rules, talkers, what was blocked and USB, each with its own", () => {
	const talkers = [{ remote: "192.0.2.9", count: 12, blocked: 3, lastSeen: time - 60_000 }];
	const lines = topLines(
		before,
		{ ...now, blocked: 20, unmatched: 4, talkers, alerts: [usb, drop, sampleAlert()] },
		"rate",
		{ columns: 100, rows: 40 },
	);
	expect(lines).toEqual(
		[
			"03:04:05Z portward on vm1, by rate: enforced",
			"packets/s blocked by rules 10, by the posture 2.0, of no flow 0",
			"",
			"   PER S PACKETS  LAST  ACTION  RULE",
			"      10      30    3s  Allow   a ingress[0]",
			"       –      70    3s  Allow   d ingress[0]",
			"       0      50    3s  Allow   b ingress[0]",
			"       –       5    3s  Allow   c ingress[0]",
			"",
			"   FLOWS BLOCKED  LAST  TALKER",
			"     12       3    1m  192.0.2.9",
			"",
			"  LAST  BLOCKED",
			"   now  192.0.2.7 → icmp: blocked by np1",
			"",
			"  LAST  USB",
			"   now  USB INGRESS of a device on port 1-4: passed, audited by np1",
		].map((line) => line.replace("passed, audited by np1", "let in, audited by np1")),
	);
});

test("where flows are not watched, that is said", () => {
	const lines = topLines(null, sample({ talkers: null }), "rate", { columns: 80, rows: 24 });
	expect(lines).toContain("  flows are not watched");
	expect(lines).toContain("  no rule is in force");
});

test("drops are told a second, and since counting began", () => {
	expect(dropsOf(before, { ...now, blocked: 3, invalid: 1 })).toEqual({
		blocked: { packets: 3, perSecond: 1.5 },
		unmatched: { packets: 0, perSecond: 0 },
		invalid: { packets: 1, perSecond: 0.5 },
	});
});

test("as JSON it is what its schema says", () => {
	const talkers = [{ remote: "192.0.2.9", count: 12, blocked: 3, lastSeen: time }];
	const found = topJson(before, { ...now, talkers, alerts: [usb, drop] });
	expect(violations(JSON.parse(JSON.stringify(found)), "top")).toEqual([]);
	expect(found).toMatchObject({ blocked: [{}], usb: [{}], seconds: 2 });
	expect(violations(JSON.parse(JSON.stringify(topJson(null, sample({ talkers: null })))), "top")).toEqual([]);
});

test("no screen is too large, and no terminal obeys what stands on it", () => {
	const text = fc.string({ unit: "binary", maxLength: 120 });
	const alerts = fc.record({
		UpdatedTime: text,
		PolicyName: text,
		Action: fc.constantFrom("Block", "Audit"),
		Resource: text,
		Message: text,
		Operation: fc.constantFrom("NetworkFirewall", "Device", "System"),
		Enforcer: fc.constantFrom("USBDeviceHandler", "NetworkPolicyEnforcer"),
		EventData: fc.dictionary(text, text, { maxKeys: 3 }),
	});
	const samples = fc.record({
		hostname: text,
		rules: fc.array(text.map((name) => rule(name, 3))),
		talkers: fc.array(text.map((remote) => ({ remote, count: 1, blocked: 0, lastSeen: 5 }))),
		alerts: fc.array(alerts),
	});
	const size = fc.record({
		columns: fc.integer({ min: 1, max: 200 }),
		rows: fc.integer({ min: 1, max: 60 }),
	});
	fc.assert(
		fc.property(samples, size, fc.constantFrom(...orders), (over, screen, order) => {
			const lines = topLines(before, sample(over), order, screen);
			expect(lines.length).toBeLessThanOrEqual(screen.rows);
			for (const line of lines) expect(line.length).toBeLessThanOrEqual(screen.columns);
			expect(lines.join("")).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e]/u);
		}),
	);
});
