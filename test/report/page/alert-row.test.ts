import { expect, test } from "bun:test";
import { alertRow } from "../../../src/report/page/alert-row.ts";
import { sampleAlert } from "../sample.ts";

const row = (alert: object) => alertRow(JSON.stringify(alert));

test("an alert is a sentence and what its policy says, with milliseconds", () => {
	const EventData = {
		SourceIP: "10.0.1.200",
		DestinationIP: "10.0.1.1",
		DestinationPort: "5432",
		Protocol: "TCP",
		Interface: "eth0",
	};
	expect(row(sampleAlert({ EventData, Action: "Block", PolicyName: "database-only" }))).toEqual({
		time: "2026-02-23 04:31:35.104",
		action: "Block",
		sentence: "10.0.1.200 → tcp 5432 on eth0: blocked by database-only",
		note: "m",
	});
});

test("control and bidi characters are written out, wherever they come from", () => {
	const hostile = "a\u001b[31m\u202e\n";
	const EventData = { SourceIP: hostile, Interface: hostile, Protocol: hostile, DestinationPort: hostile };
	const alert = sampleAlert({ EventData, PolicyName: hostile, Message: hostile, UpdatedTime: hostile });
	for (const text of Object.values(row({ ...alert, Action: hostile })))
		expect(text).not.toMatch(/[\u001b\u202e\n]/u);
});

test("what is no alert of this version is a row all the same", () => {
	expect(row({})).toMatchObject({ time: "", action: "" });
	expect(row({ EventData: { SourceIP: 1 }, Operation: "NetworkFirewall", Action: 3 })).toMatchObject({
		sentence: expect.stringContaining("somebody"),
	});
	expect(row({ EventData: "x" })).toMatchObject({ note: "" });
	expect(alertRow("null")).toMatchObject({ time: "" });
});
