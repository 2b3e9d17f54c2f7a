import { expect, test } from "bun:test";
import { UsageError } from "../../../src/cli/command.ts";
import { readFlows } from "../../../src/cli/journey/flows-file.ts";
import { parseSince, seenSince } from "../../../src/cli/journey/since.ts";
import { flowJson, historyText } from "./support/flows.ts";

const now = Date.parse("2026-11-30T12:00:00Z");

test.each([
	["90s", "2026-11-30T11:58:30.000Z"],
	["10m", "2026-11-30T11:50:00.000Z"],
	["2h", "2026-11-30T10:00:00.000Z"],
	["7d", "2026-11-23T12:00:00.000Z"],
	["4w", "2026-11-02T12:00:00.000Z"],
	["999999w", "1970-01-01T00:00:00.000Z"],
	["2026-11-30", "2026-11-30T00:00:00.000Z"],
	["2026-11-30T08:00", "2026-11-30T08:00:00.000Z"],
	["2026-11-30 08:00:01.5", "2026-11-30T08:00:01.500Z"],
	["2026-11-30T08:00:00+02:00", "2026-11-30T06:00:00.000Z"],
])("%s is %s", (text, expected) => {
	expect(new Date(parseSince(text, now) ?? Number.NaN).toISOString()).toBe(expected);
});

test("nothing asks for everything", () => {
	expect(parseSince(undefined, now)).toBeNull();
});

test.each([
	"",
	"7",
	"d",
	"-1d",
	"7 days",
	"yesterday",
	"2026-13-01",
	"2026-11-31",
	"2026-02-30T08:00",
	"2026-11-30T25:00",
	"1969-01-01",
])("%j is wrong usage, with what to write", (text) => {
	expect(() => parseSince(text, now)).toThrow(UsageError);
});

test("flows that were seen before are left out", () => {
	const read = readFlows("f", historyText([flowJson, { ...flowJson, lastSeen: "2026-01-01T12:00:00.000Z" }]));
	if (!read.ok) throw new Error("the flows are right");
	const at = Date.parse(flowJson.lastSeen);
	expect(seenSince(read.history, null)).toEqual(read.history);
	const later = seenSince(read.history, at);
	expect([later.since, later.flows.length]).toEqual([at, 1]);
	expect(seenSince(read.history, at + 1).flows).toEqual([]);
	expect(seenSince(read.history, 0).since).toBe(read.history.since);
});
