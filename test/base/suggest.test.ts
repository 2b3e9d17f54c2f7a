import { expect, test } from "bun:test";
import fc from "fast-check";
import { nearest, printable, quote } from "../../src/base/suggest.ts";

const fields = ["ingress", "egress", "from", "to", "ports", "iface", "action", "severity", "tags", "message"];

test.each([
	["ingres", "ingress"],
	["Ingress", "ingress"],
	["form", "from"],
	["port", "ports"],
	["actoin", "action"],
	["interface", null],
	["xyz", null],
	["", null],
	["x".repeat(100_000), null],
])("%.20s is near %p", (word, expected) => {
	expect(nearest(word, fields)).toBe(expected);
});

test("a word is nearest to itself, and to itself with one edit", () => {
	fc.assert(
		fc.property(fc.constantFrom(...fields.filter((field) => field.length > 4)), fc.nat(20), (field, at) => {
			expect(nearest(field, fields)).toBe(field);
			const cut = at % field.length;
			expect(nearest(field.slice(0, cut) + field.slice(cut + 1), fields)).not.toBeNull();
		}),
	);
});

test("quote is one short printable line, whatever the text", () => {
	fc.assert(
		fc.property(fc.string({ unit: "binary" }), (text) => {
			const quoted = quote(text);
			expect(quoted).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
			expect(quoted.length).toBeLessThan(500);
			if (text.length <= 80) expect(JSON.parse(quoted)).toBe(text);
		}),
	);
});

test("printable is one bounded line, and leaves plain text alone", () => {
	expect(printable('Invalid escape "\\z"')).toBe('Invalid escape "\\z"');
	expect(printable("a\u001b[31m\nb\u202e")).toBe("a\\u001b[31m\\u000ab\\u202e");
	expect(printable("x".repeat(10_000)).length).toBe(300);
});
