import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseInterface } from "../../src/policy/iface.ts";

test.each([
	["eth0", { name: "eth0", prefix: false }],
	["eth*", { name: "eth", prefix: true }],
	["*", "any"],
	["wlp0s20f3", { name: "wlp0s20f3", prefix: false }],
	["eth0.100", { name: "eth0.100", prefix: false }],
	["veth1@if2", { name: "veth1@if2", prefix: false }],
	["abcdefghijklmno", { name: "abcdefghijklmno", prefix: false }],
	["abcdefghijklmn*", { name: "abcdefghijklmn", prefix: true }],
] as const)("%s", (text, match) => {
	expect(parseInterface(text)).toEqual({ ok: true, match });
});

test("15 bytes and a * can match nothing longer, and the name itself is offered", () => {
	const result = parseInterface("abcdefghijklmno*");
	expect(!result.ok && result.hint).toContain('"abcdefghijklmno"');
});

test("whatever passes cannot end a quoted text, and fits the kernel", () => {
	fc.assert(
		fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary", maxLength: 18 })), (text) => {
			const result = parseInterface(text);
			if (!result.ok || result.match === "any") return;
			expect(result.match.name).toMatch(/^[\x21-\x7e]{1,15}$/);
			expect(result.match.name).not.toMatch(/["'`\\/:*]/);
		}),
		{ numRuns: 3000 },
	);
});
