import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseInterface } from "../../src/document/iface.ts";

test.each([
	["eth0", { name: "eth0", prefix: false }],
	["eth*", { name: "eth", prefix: true }],
	["*", "any"],
	["wlp0s20f3", { name: "wlp0s20f3", prefix: false }],
	["eth0.100", { name: "eth0.100", prefix: false }],
	["abcdefghijklmno", { name: "abcdefghijklmno", prefix: false }],
	["abcdefghijklmn*", { name: "abcdefghijklmn", prefix: true }],
] as const)("%s", (text, match) => {
	expect(parseInterface(text)).toEqual({ ok: true, match });
});

test.each([
	["eth0.100@eth0", '"eth0.100"'],
	["veth1@if7", '"veth1"'],
	["br-lan@NONE", '"br-lan"'],
	["tun+", '"tun*"'],
	["any", "leave it out"],
	["ALL", "leave it out"],
	["+", "leave it out"],
	["eth0:", '"eth0"'],
	["eth0:1", '"eth0"'],
	["eth0, eth1", '["eth0","eth1"]'],
	["eth0 ", '"eth0"'],
	["!lo", "list the interfaces"],
	["eth[0-3]", "list the names"],
	["eth?", "list the names"],
	["eth*0", "list the names"],
	["10.0.0.1", "from or to"],
	["fe80::1", "from or to"],
	[`$${"{IFACE}"}`, "render it first"],
	["{{ .Values.iface }}", "render it first"],
	["eth#0", "ip link"],
])("%s cannot match, and the hint says what to write", (text, hint) => {
	const result = parseInterface(text);
	expect(!result.ok && result.hint).toContain(hint);
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
