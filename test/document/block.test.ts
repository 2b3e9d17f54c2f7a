import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatCidr, maskBase, parseCidr } from "../../src/base/cidr.ts";
import { blocksOf, parseBlock, writeBlock } from "../../src/document/block.ts";

const anyHint = "leave it out";

function hintOf(text: string): string {
	const result = parseBlock(text, anyHint);
	return result.ok ? "" : result.hint;
}

describe("what other tools know gets the form to write", () => {
	test.each([
		["192.0.2.0/255.255.255.0", "192.0.2.0/24"],
		["2001:db8::1/ffff:ffff::", "2001:db8::/32"],
		["::1234:5678/::ffff:ffff", '- ipBlock: {cidr: "::1234:5678/::ffff:ffff"}'],
		["::1:2/::ffff", "write ::2/::ffff"],
		["192.0.2.7/255.255.255.255", "192.0.2.7/32"],
		["192.0.2.0/0.0.0.255", "192.0.2.0/24"],
		["192.0.2.0 netmask 255.255.255.128", "192.0.2.0/25"],
		["192.0.2.0/255.0.255.0", "one entry for each block"],
		["192.0.2.*", "192.0.2.0/24"],
		["10.*.*.*", "10.0.0.0/8"],
		["192.0.2.", "192.0.2.0/24"],
		["10.1/16", "10.1.0.0/16"],
		["198.51.100.20-198.51.100.40", "198.51.100.20/30, 198.51.100.24/29, 198.51.100.32/29, 198.51.100.40/32"],
		["198.51.100.20-40", "198.51.100.20/30, 198.51.100.24/29"],
		["2001:db8::1-2001:db8::3", "2001:db8::1/128, 2001:db8::2/127"],
		["198.51.100.40-198.51.100.20", "the lower address first"],
		["198.51.100.1, 198.51.100.2", "- ipBlock: {cidr: 198.51.100.1} - ipBlock: {cidr: 198.51.100.2}"],
		["10.0.0.0/8 2001:db8::/32", '{cidr: "2001:db8::/32"}'],
		[" 10.0.0.0/8", "10.0.0.0/8"],
		["!10.0.0.0/8", "cidr: 0.0.0.0/0 with except: [10.0.0.0/8]"],
		["not 2001:db8::/32", "cidr: ::/0 with except: [2001:db8::/32]"],
		["1.2.3.4:80", "port: 80"],
		["[2001:db8::1]:443", 'cidr: "2001:db8::1"'],
		["any", anyHint],
		["ALL", anyHint],
		["0/0", anyHint],
		["0.0.0.0", "0.0.0.0/0"],
		["::", "::/0"],
		["{{ .Values.cidr }}", "render it first"],
		["example.org", "the address or block itself"],
		["1.2.3.4/33", "1.2.3.4/32"],
	])("%s", (text, hint) => {
		expect(parseBlock(text, anyHint).ok).toBe(false);
		expect(hintOf(text)).toContain(hint);
	});
});

test.each([
	["192.168.50.0", "192.168.50.0/24"],
	["172.16.0.0", "172.16.0.0/12"],
	["10.0.0.0", "10.0.0.0/8"],
	["fd12:3456:789a::", "fd12:3456:789a::/48"],
	["2001:db8::", "2001:db8::/32"],
	["192.168.50.1", null],
	["2001:db8::1", null],
	["192.168.50.0/32", null],
	["0.0.0.0/0", null],
])("%s looks like the network %s", (text, network) => {
	const result = parseBlock(text, anyHint);
	if (!result.ok) throw new Error(result.message);
	expect(result.network && formatCidr(result.network)).toBe(network);
});

test("what is written is read back without a question", () => {
	const one = fc
		.constantFrom("0.0.0.0", "::", "10.0.0.0", "fd12::", "192.0.2.7", "2001:db8::1")
		.map((text) => {
			const parsed = parseCidr(text);
			if (!parsed.ok) throw new Error(parsed.message);
			return parsed.cidr;
		});
	const any = fc.record({ base: fc.bigInt(0n, 2n ** 32n - 1n), prefix: fc.nat(32) });
	const block = any.map(({ base, prefix }) => ({
		family: 4 as const,
		base: maskBase(base, 4, prefix),
		prefix,
	}));
	fc.assert(
		fc.property(fc.oneof(one, block), (cidr) => {
			const read = parseBlock(writeBlock(cidr), anyHint);
			expect(read).toEqual({ ok: true, cidr, hostBits: false, network: null });
		}),
	);
	expect(writeBlock({ family: 4, base: 0xc000_0207n, prefix: 32 })).toBe("192.0.2.7");
});

test("the blocks of a range are its addresses and no other, in order", () => {
	fc.assert(
		fc.property(
			fc.constantFrom(4 as const, 6 as const),
			fc.bigInt(0n, 2n ** 32n - 1n),
			fc.nat(5000),
			(family, first, size) => {
				const last = first + BigInt(size) > 2n ** 32n - 1n ? 2n ** 32n - 1n : first + BigInt(size);
				let next = first;
				for (const { base, prefix } of blocksOf(family, first, last)) {
					expect(base).toBe(next);
					next += 1n << BigInt((family === 4 ? 32 : 128) - prefix);
				}
				expect(next).toBe(last + 1n);
			},
		),
	);
	expect(blocksOf(4, 0n, 2n ** 32n - 1n)).toEqual([{ family: 4, base: 0n, prefix: 0 }]);
});

test("never throws, and hints fit a line", () => {
	fc.assert(
		fc.property(
			fc.oneof(
				fc.string(),
				fc.string({ unit: fc.constantFrom(..."0123456789./:-, !*[]abcdef"), maxLength: 60 }),
			),
			(text) => {
				const result = parseBlock(text, anyHint);
				if (!result.ok) expect(result.message + result.hint).not.toMatch(/[\u0000-\u001f\u2028-\u202e]/);
			},
		),
		{ numRuns: 2000 },
	);
});
