import { expect, test } from "bun:test";
import fc from "fast-check";
import { journalEntry, sentenceOf } from "../../../src/report/formats/journal.ts";
import { sampleAlert } from "../sample.ts";

/** What the journal reads: `NAME=value`, or a name, the value's length and the value. */
function read(entry: Buffer): Map<string, string> {
	const fields = new Map<string, string>();
	for (let at = 0; at < entry.length; ) {
		const end = entry.indexOf("\n", at);
		const line = entry.toString("utf8", at, end);
		const equals = line.indexOf("=");
		if (equals >= 0) {
			fields.set(line.slice(0, equals), line.slice(equals + 1));
			at = end + 1;
			continue;
		}
		const length = Number(entry.readBigUInt64LE(end + 1));
		fields.set(line, entry.toString("utf8", end + 9, end + 9 + length));
		expect(entry[end + 9 + length]).toBe(0x0a);
		at = end + 10 + length;
	}
	return fields;
}

test("what people read", () => {
	expect(sentenceOf(sampleAlert())).toBe("Audit by np1: INGRESS SourceIP=192.0.2.7 (m)");
	expect(sentenceOf(sampleAlert({ PolicyName: "", Message: "" }))).toBe("Audit: INGRESS SourceIP=192.0.2.7");
	expect(sentenceOf(sampleAlert({ Operation: "System", Message: "It changed" }))).toBe("Audit: It changed");
});

test("fields that are empty are left out, and long ones are cut where that is asked for", () => {
	const entry = read(journalEntry(sampleAlert({ PolicyName: "", Message: "x".repeat(100) }), "text", 10));
	expect(entry.has("PORTWARD_POLICY")).toBe(false);
	expect(entry.get("PORTWARD_POLICY_MESSAGE")).toBe("x".repeat(10));
	expect(entry.get("PORTWARD_ALERT")).toBe("text");
});

test("whatever words stand in an alert, they are the value of their field and of no other", () => {
	const text = fc.oneof(
		fc.string({ unit: "grapheme", maxLength: 30 }),
		fc.constantFrom("a\nPRIORITY=0", "=", "\n", "x=y\n\n"),
	);
	fc.assert(
		fc.property(text, text, (PolicyName, Serial) => {
			const alert = sampleAlert({ PolicyName, EventData: { NodeID: "n", Serial } });
			const entry = read(journalEntry(alert, "text"));
			expect(entry.get("PORTWARD_POLICY") ?? "").toBe(PolicyName);
			expect(entry.get("PORTWARD_DATA_SERIAL") ?? "").toBe(Serial);
			expect(entry.get("PORTWARD_DATA_NODE_ID")).toBe("n");
			expect(entry.get("PRIORITY")).toBe("4");
			expect(entry.get("MESSAGE")).not.toMatch(/\p{Cc}/u);
		}),
	);
});
