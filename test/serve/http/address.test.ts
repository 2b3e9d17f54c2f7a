import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
	formatListenAddress,
	hostAllowed,
	type ListenAddress,
	parseListenAddress,
} from "../../../src/serve/http/address.ts";

const tcp = (host: string): ListenAddress => ({ kind: "tcp", host, port: 9755 });

describe("parseListenAddress", () => {
	test.each([
		["127.0.0.1:9755", tcp("127.0.0.1")],
		["0.0.0.0:0", { kind: "tcp", host: "0.0.0.0", port: 0 }],
		["[::1]:9755", tcp("::1")],
		["[2001:DB8:0::1]:9755", tcp("2001:db8::1")],
		["unix:/run/portward.sock", { kind: "unix", path: "/run/portward.sock" }],
	] satisfies [string, ListenAddress][])("%s", (text, address) => {
		const result = parseListenAddress(text);
		expect(result).toEqual({ ok: true, address });
		const again = parseListenAddress(formatListenAddress(address));
		expect(again).toEqual({ ok: true, address });
	});

	test.each([
		"",
		":9755",
		"9755",
		"localhost:9755",
		"127.0.0.1",
		"127.0.0.1:70000",
		"127.1:9755",
		"010.0.0.1:80",
		"1.2.3.4.5:80",
		"::1:9755",
		"[::1]",
		"[127.0.0.1]:80",
		"[fe80::1%eth0]:80",
		"127.0.0.1:-1",
		"127.0.0.1:9755\n",
		"unix:",
		"unix:relative",
		"unix:/a\0b",
		`unix:/${"a".repeat(107)}`,
		"tcp://127.0.0.1:80",
	])("%j is refused with an example", (text) => {
		expect(parseListenAddress(text)).toMatchObject({
			ok: false,
			hint: expect.stringContaining("127.0.0.1:9755"),
		});
	});
});

describe("hostAllowed", () => {
	test.each([
		["127.0.0.1", "localhost", true],
		["127.0.0.1", "LOCALHOST:1234", true],
		["127.0.0.1", "localhost.", true],
		["127.0.0.1", "127.0.0.1:9755", true],
		["127.0.0.1", "127.9.9.9", true],
		["127.0.0.1", "[::1]:9755", true],
		["127.0.0.1", "[0:0:0:0:0:0:0:1]", true],
		["127.0.0.1", "vm1.example:80", true],
		["127.0.0.1", "VM1.Example.", true],
		["127.0.0.1", "vm1", false],
		["127.0.0.1", "192.0.2.1", false],
		["127.0.0.1", "evil.example", false],
		["127.0.0.1", "localhost.evil.example", false],
		["127.0.0.1", "evil.example:127.0.0.1", false],
		["127.0.0.1", "127.0.0.1.evil.example", false],
		["127.0.0.1", "127.1", false],
		["127.0.0.1", "0x7f000001", false],
		["127.0.0.1", "2130706433", false],
		["127.0.0.1", "::1", false],
		["127.0.0.1", "[127.0.0.1]", false],
		["127.0.0.1", "[localhost]", false],
		["127.0.0.1", "user@localhost", false],
		["127.0.0.1", "localhost:99999", false],
		["127.0.0.1", "localhost:", false],
		["127.0.0.1", "", false],
		["192.0.2.1", "192.0.2.1:80", true],
		["192.0.2.1", "192.0.2.2:80", false],
		["2001:db8::1", "[2001:db8:0::1]:80", true],
		["0.0.0.0", "198.51.100.7:80", true],
		["::", "[2001:db8::7]", true],
		["0.0.0.0", "evil.example", false],
	])("bound to %s, Host %j: %p", (bound, header, allowed) => {
		expect(hostAllowed(header, tcp(bound), "vm1.example")).toBe(allowed);
	});

	test("a unix socket takes any", () => {
		expect(hostAllowed("evil.example", { kind: "unix", path: "/s" }, "vm1")).toBe(true);
	});

	test("no Host at all is no name of somebody else's", () => {
		expect(hostAllowed(null, tcp("127.0.0.1"), "vm1")).toBe(true);
		expect(hostAllowed("", tcp("127.0.0.1"), "vm1")).toBe(false);
	});

	test.each([
		["guard.example", true],
		["GUARD.example.:9755", true],
		["a.pool.example", true],
		["a.b.pool.example", false],
		["pool.example", false],
		["*.pool.example", false],
		["203.0.113.5:1", true],
		["[2001:db8:0::5]:1", true],
		["203.0.113.6", false],
		["evil.example", false],
	])("names of the certificate: %s %p", (header, allowed) => {
		const names = ["guard.example", "*.pool.example", "203.0.113.5", "2001:db8::5"];
		expect(hostAllowed(header, tcp("192.0.2.1"), "vm1.example", names)).toBe(allowed);
	});

	test("no name but localhost and this host's gets through", () => {
		fc.assert(
			fc.property(
				fc.domain(),
				(name) => hostAllowed(name, tcp("0.0.0.0"), "vm1.example") === (name === "localhost"),
			),
		);
	});
});
