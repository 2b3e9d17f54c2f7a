import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { escapeForTerminal, escapeJson } from "../../src/base/terminal.ts";

const dangerous =
	/[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0001}-\u{e007f}]/u;
const hostile = fc.string({ unit: "binary", maxLength: 60 });

describe("escapeForTerminal", () => {
	test.each([
		["\x1b[2J", "\\x1b[2J"],
		["a\r\nb\t", "a\\r\\nb\\t"],
		["\u009b31m", "\\x9b31m"],
		["safe\u202egpj.exe", "safe\\u{202e}gpj.exe"],
		["\u{e0041}", "\\u{e0041}"],
		["\ud800", "\\u{d800}"],
		["Zugriff verweigert – 拒否 ✓ é", "Zugriff verweigert – 拒否 ✓ é"],
	])("%j becomes %j", (input, output) => expect(escapeForTerminal(input)).toBe(output));

	test("leaves nothing that a terminal obeys", () => {
		fc.assert(fc.property(hostile, (text) => !dangerous.test(escapeForTerminal(text))));
	});

	test("is idempotent", () => {
		fc.assert(
			fc.property(hostile, (text) => escapeForTerminal(escapeForTerminal(text)) === escapeForTerminal(text)),
		);
	});
});

describe("escapeJson", () => {
	test("keeps the value and leaves nothing that a terminal obeys", () => {
		fc.assert(
			fc.property(fc.dictionary(hostile, hostile), (value) => {
				const json = escapeJson(JSON.stringify(value));
				expect(json).not.toMatch(dangerous);
				expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
			}),
		);
	});
});
