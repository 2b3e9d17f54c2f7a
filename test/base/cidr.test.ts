import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
	addressBits,
	containsCidr,
	formatAddress,
	formatCidr,
	maskBase,
	parseCidr,
	parseSeenCidr,
} from "../../src/base/cidr.ts";
import type { Cidr } from "../../src/base/model.ts";

const cidrs: fc.Arbitrary<Cidr> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
	fc
		.record({
			value: fc.bigInt({ min: 0n, max: (1n << BigInt(addressBits(family))) - 1n }),
			prefix: fc.integer({ min: 0, max: addressBits(family) }),
		})
		.map(({ value, prefix }) => ({ family, base: maskBase(value, family, prefix), prefix })),
);

function isMapped(cidr: Cidr): boolean {
	return cidr.family === 6 && cidr.base >> 32n === 0xffffn;
}

describe("parseCidr", () => {
	test.each([
		["10.0.1.0/24", "10.0.1.0/24", false],
		["10.0.1.7/24", "10.0.1.0/24", true],
		["192.0.2.7", "192.0.2.7/32", false],
		["0.0.0.0/0", "0.0.0.0/0", false],
		["255.255.255.255/1", "128.0.0.0/1", true],
		["2001:DB8::/32", "2001:db8::/32", false],
		["2001:db8::1/64", "2001:db8::/64", true],
		["::", "::/128", false],
		["::/0", "::/0", false],
		["64:ff9b::192.0.2.1", "64:ff9b::c000:201/128", false],
		["1:2:3:4:5:6:7:8/128", "1:2:3:4:5:6:7:8/128", false],
	])("%s is %s", (text, canonical, hostBits) => {
		const result = parseCidr(text);
		expect(result.ok && [formatCidr(result.cidr), result.hostBits]).toEqual([canonical, hostBits]);
	});

	test.each([
		["", "missing"],
		["/24", "missing"],
		["10/8", "four decimal"],
		["10.0.1/24", "four decimal"],
		["010.0.0.0/8", "four decimal"],
		["0x7f.1", "four decimal"],
		["10.0.0.0.0", "four decimal"],
		["1", "four decimal"],
		["256.0.0.0/8", "above 255"],
		["10.0.0.0/33", "from 0 to 32"],
		["10.0.0.0/", "from 0 to 32"],
		["10.0.0.0/08", "from 0 to 32"],
		["10.0.0.0/-1", "from 0 to 32"],
		["10.0.0.0/8/8", "from 0 to 32"],
		["10.0.0.0/255.0.0.0", "from 0 to 32"],
		["::/129", "from 0 to 128"],
		["fe80::%eth0/64", "zone id"],
		["fe80::1%1", "zone id"],
		["::ffff:10.0.0.1", "IPv4-mapped"],
		["::ffff:a00:1/128", "IPv4-mapped"],
		[":::", "IPv6"],
		["1:2:3", "IPv6"],
		["::1::", "IPv6"],
		["12345::", "IPv6"],
		["[::1]", "IPv6"],
		[" 10.0.0.0/8", "not an IP address"],
		["10.0.0.0 /8", "not an IP address"],
		["10.0.0.0/8 ", "from 0 to 32"],
		["10.0.0.0\n/8", "not an IP address"],
		["10.0.0.1-10.0.0.9", "not an IP address"],
		["example.org", "name"],
		["10.0.0.0/8, 192.0.2.0/24", "from 0 to 32"],
		["١٠.0.0.0", "not an IP address"],
		["1".repeat(100_000), "too long"],
	])("refuses %j: %s", (text, message) => {
		const result = parseCidr(text);
		expect(result.ok).toBe(false);
		if (!result.ok) {
			expect(result.message).toContain(message);
			expect(result.hint).not.toBe("");
		}
	});

	test("an IPv4-mapped address names the IPv4 address to write", () => {
		const result = parseCidr("::ffff:192.0.2.9");
		expect(!result.ok && result.hint).toContain("192.0.2.9");
	});

	test("reads back what formatCidr writes", () => {
		fc.assert(
			fc.property(cidrs, (cidr) => {
				fc.pre(!isMapped(cidr));
				expect(parseCidr(formatCidr(cidr))).toEqual({ ok: true, cidr, hostBits: false });
			}),
		);
	});

	test("never throws and accepts no text beyond [0-9a-fA-F:./]", () => {
		fc.assert(
			fc.property(
				fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."0123:.af/%xg- ") })),
				(text) => {
					const result = parseCidr(text);
					if (result.ok) expect(text).toMatch(/^[0-9a-fA-F:./]+$/);
				},
			),
			{ numRuns: 2000 },
		);
	});
});

describe("parseSeenCidr", () => {
	test.each([
		["::ffff:1.2.3.4", 0xffff_0102_0304n, 128],
		["::ffff:102:304", 0xffff_0102_0304n, 128],
		["::ffff:102:0/112", 0xffff_0102_0000n, 112],
		["2001:db8::/32", 0x2001_0db8n << 96n, 32],
	])("%s is what packets bear", (text, base, prefix) => {
		expect(parseSeenCidr(text)).toEqual({ ok: true, cidr: { family: 6, base, prefix }, hostBits: false });
	});

	test.each([
		["::ffff:1.2.3.4/129", 'the prefix length "129" is not a number from 0 to 128'],
		["::ffff:1.2.3.4/", 'the prefix length "" is not a number from 0 to 128'],
		["::ffff:1.2.3.4/1/1", 'the prefix length "1/1" is not a number from 0 to 128'],
		["::ffff:1.2.3.256", '"::ffff:1.2.3.256" is not an IPv6 address'],
		["fe80::1%eth0", "a zone id (%interface) cannot be part of an address block"],
		["", "the address is missing"],
	])("%p is nothing of it", (text, message) => {
		expect(parseSeenCidr(text)).toMatchObject({ ok: false, message });
	});
});

describe("containsCidr", () => {
	test("agrees with address arithmetic", () => {
		const last = (c: Cidr) => c.base + (1n << BigInt(addressBits(c.family) - c.prefix)) - 1n;
		fc.assert(
			fc.property(cidrs, cidrs, fc.integer({ min: 0, max: 32 }), (a, b, prefix) => {
				const parent: Cidr = {
					...b,
					prefix: Math.min(prefix, b.prefix),
					base: maskBase(b.base, b.family, Math.min(prefix, b.prefix)),
				};
				for (const [outer, inner] of [
					[a, b],
					[b, a],
					[parent, b],
					[b, parent],
					[a, a],
				] as const) {
					const expected =
						outer.family === inner.family && outer.base <= inner.base && last(inner) <= last(outer);
					expect(containsCidr(outer, inner)).toBe(expected);
				}
			}),
		);
	});

	test("families never contain each other, not even /0", () => {
		expect(containsCidr({ family: 4, base: 0n, prefix: 0 }, { family: 6, base: 0n, prefix: 0 })).toBe(false);
	});
});

test("formatAddress writes RFC 5952", () => {
	expect(formatAddress(6, 0x20010db8000000000001000000000001n)).toBe("2001:db8::1:0:0:1");
	expect(formatAddress(4, 0xc0000201n)).toBe("192.0.2.1");
});
