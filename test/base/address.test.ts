import { expect, test } from "bun:test";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { formatIpv4, formatIpv6 } from "../../src/base/address.ts";

function ipv6(text: string): string {
	return formatIpv6(Uint8Array.from(ipaddr.IPv6.parse(text).toByteArray()), 0);
}

test("IPv4 addresses are dotted decimal", () => {
	expect(formatIpv4(Uint8Array.of(9, 192, 168, 0, 255), 1)).toBe("192.168.0.255");
});

// The examples of RFC 5952, sections 4 and 5.
test.each([
	["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
	["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
	["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
	["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
	["2001:0DB8::000A", "2001:db8::a"],
	["0:0:0:0:0:0:0:0", "::"],
	["0:0:0:0:0:0:0:1", "::1"],
	["1:0:0:0:0:0:0:0", "1::"],
	["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
])("%s is written %s", (text, canonical) => {
	expect(ipv6(text)).toBe(canonical);
});

test("every IPv6 text reads back as the same address, and an independent formatter agrees", () => {
	fc.assert(
		fc.property(
			fc.array(fc.constantFrom(0, 0, 0, 1, 0xff, 0xffff), { minLength: 8, maxLength: 8 }),
			(groups) => {
				const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
				const text = formatIpv6(bytes, 0);
				expect(ipaddr.IPv6.parse(text).toByteArray()).toEqual([...bytes]);
				if (!text.includes(".")) expect(text).toBe(ipaddr.fromByteArray([...bytes]).toString());
			},
		),
	);
});
