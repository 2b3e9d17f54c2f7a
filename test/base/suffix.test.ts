import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { containsCidr } from "../../src/base/cidr.ts";
import {
	blockAround,
	fixedBits,
	formatSuffix,
	parseSuffix,
	type Suffix,
	suffixContains,
	suffixContainsBlock,
	suffixesMeet,
	suffixMatches,
	suffixMeetsBlock,
} from "../../src/base/suffix.ts";

const all = (1n << 128n) - 1n;

function suffix(text: string): Suffix {
	const parsed = parseSuffix(text);
	if (parsed?.ok !== true || !("suffix" in parsed)) throw new Error(`${text} is no suffix`);
	return parsed.suffix;
}

describe("a text", () => {
	test.each([
		["::1234:5678/::ffff:ffff", 0x12345678n, 0xffffffffn],
		["::/::1", 0n, 1n],
		["2001:DB8::5/ffff:ffff::ff", (0x20010db8n << 96n) | 5n, (0xffffffffn << 96n) | 0xffn],
		["::ffff:192.0.2.1/::ffff:ffff:ffff", 0xffffc0000201n, 0xffffffffffffn],
	])("%s is a suffix", (text, value, mask) => {
		expect(parseSuffix(text)).toEqual({ ok: true, suffix: { mask, value } });
	});

	test.each([
		["2001:db8::/ffff:ffff::", 32, 0x20010db8n << 96n],
		["::/::", 0, 0n],
		["::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128, 1n],
	])("%s is a block", (text, prefix, base) => {
		expect(parseSuffix(text)).toEqual({ ok: true, cidr: { family: 6, base, prefix } });
	});

	test.each([
		["::1:2/::ffff", "::2/::ffff"],
		["2001:db8::1/ffff::", "2001::/16"],
	])("%s has bits too many, and what to write is said", (text, meant) => {
		expect(parseSuffix(text)).toMatchObject({ ok: false, hint: expect.stringContaining(`write ${meant},`) });
	});

	test.each([
		"::ffff:192.0.2.1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"::ffff:192.0.2.0/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00",
		"::ffff:0:5/ffff:ffff:ffff:ffff:ffff:ffff:0:ff",
	])("%s is nothing that a packet carries", (text) => {
		expect(parseSuffix(text)).toMatchObject({ ok: false, message: expect.stringContaining("IPv4-mapped") });
	});

	test.each(["::1", "::1/64", "10.0.0.1/::ff", "::1/255.0.0.0", "::g/::ff", "", "/", "::1/::ff/::ff"])(
		"%p is none",
		(text) => expect(parseSuffix(text)).toBeNull(),
	);

	test("is read back from what is written", () => {
		fc.assert(
			fc.property(fc.bigInt(1n, all), fc.bigInt(0n, all), (mask, value) => {
				const written = { mask, value: value & mask };
				const parsed = parseSuffix(formatSuffix(written));
				if (parsed?.ok !== true) throw new Error(formatSuffix(written));
				if ("suffix" in parsed) expect(parsed.suffix).toEqual(written);
				else expect(parsed.cidr.base).toBe(written.value);
			}),
		);
	});
});

/** Few bits at both ends, so that they nest and meet. */
const edge = (bits: number) => BigInt(bits & 0xf) | (BigInt(bits >> 4) << 124n);
const small = fc
	.tuple(fc.integer({ min: 1, max: 255 }), fc.nat(255))
	.map(([mask, value]): Suffix => ({ mask: edge(mask), value: edge(mask & value) }));
const addresses = Array.from({ length: 256 }, (_, bits) => edge(bits));

test("inclusion and meeting are those of the addresses", () => {
	fc.assert(
		fc.property(small, small, (a, b) => {
			const of = (one: Suffix) => new Set(addresses.filter((address) => suffixMatches(one, address)));
			expect(suffixContains(a, b)).toBe(of(b).isSubsetOf(of(a)));
			expect(suffixesMeet(a, b)).toBe(!of(a).isDisjointFrom(of(b)));
		}),
	);
});

test("a block is inside of a suffix where it fixes all of it", () => {
	const one = suffix("2001::5/ffff::f");
	expect([fixedBits(one), fixedBits(suffix("8000::1/8000::8001"))]).toEqual([128, 128]);
	expect(fixedBits(suffix("::5:0:0:0/0:0:0:0:ffff::"))).toBe(80);
	expect(suffixContainsBlock(one, (0x2001n << 112n) | 0x15n, 128)).toBe(true);
	expect(suffixContainsBlock(one, (0x2001n << 112n) | 0x10n, 124)).toBe(false);
	const around = blockAround(one);
	expect(around).toEqual({ family: 6, base: 0x2001n << 112n, prefix: 16 });
	expect(containsCidr(around, { family: 6, base: (0x2001n << 112n) | 5n, prefix: 128 })).toBe(true);
	expect(suffixMeetsBlock(one, { family: 6, base: 0n, prefix: 0 })).toBe(true);
	expect(suffixMeetsBlock(one, { family: 6, base: 0x2002n << 112n, prefix: 16 })).toBe(false);
	expect(suffixMeetsBlock(one, { family: 4, base: 0n, prefix: 0 })).toBe(false);
});
