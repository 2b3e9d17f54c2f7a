import { describe, expect, test } from "bun:test";
import {
	checkedKeys,
	checkedLine,
	checkedName,
	longestText,
	quoted,
	UnwritableError,
} from "../../../src/kernel/nftables/check.ts";

describe("what could end a text, a line or an object is refused", () => {
	test.each(["", "a b", "a;", "1a", "a-b", "a\n", "é", "a".repeat(256)])("as a name: %j", (name) => {
		expect(() => checkedName(name)).toThrow(UnwritableError);
	});
	test.each(['a"', "a\\", "a\nb", "a\tb", "é", "a".repeat(longestText + 1)])("in quotes: %j", (text) => {
		expect(() => quoted(text)).toThrow(UnwritableError);
	});
	test.each([
		"accept; drop",
		"accept # no",
		'iifname "eth0',
		'iifname "a" "',
		"accept }",
		"} accept {",
		"{ { } }",
		"{",
		"accept\ndrop",
		'comment "a\\"',
		"é",
	])("in a rule: %j", (text) => {
		expect(() => checkedLine(text)).toThrow(UnwritableError);
	});
	test.each(["1.2.3.4 }", "1, 2", "1\n\n2", "\n1", "1\n", '"eth0', '"a b" . 1', "1 : drop", "1;"])(
		"in keys: %j",
		(keys) => {
			expect(() => checkedKeys(keys)).toThrow(UnwritableError);
		},
	);
});

test("what rules and keys are made of passes, however much it is", () => {
	expect(checkedName("_a1")).toBe("_a1");
	expect(quoted("web ingress[0] Allow; {#}")).toBe('"web ingress[0] Allow; {#}"');
	const names = Array.from({ length: 100_000 }, (_, i) => `"eth${i}" : accept`).join(", ");
	for (const line of [
		'iifname "eth*" ip saddr & 255.255.255.0 . meta l4proto @th,0,8 { 0x12, 0x16 } comment "}#;"',
		`iifname vmap { ${names} }`,
		"tcp flags & syn == 0 ct state new",
	])
		expect(checkedLine(line)).toBe(line);
	const keys = Array.from({ length: 300_000 }, (_, i) => `"eth${i}" . 2001:db8::1-2001:db8::2 . 6 . 1-2`);
	expect(checkedKeys(keys.join("\n"))).toHaveLength(keys.join("\n").length);
});
