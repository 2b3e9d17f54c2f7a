import { expect, test } from "bun:test";
import { type MutedPort, replaceMuted } from "../../../../src/enforcers/network/apply/muted-ports.ts";
import { script } from "../../../../src/kernel/nftables/writer.ts";

const replaced = (muted: readonly MutedPort[]) => script("k", replaceMuted(muted));
const lines = (text: string, word: string) => text.split("\n").filter((line) => line.includes(word));

test("a port is muted towards ports of clients, and never towards its own at the other end", () => {
	const text = replaced([
		{ family: 4, interface: null, port: 7000, first: "192.0.2.0", last: "192.0.2.255" },
		{ family: 4, interface: null, port: 53, first: "198.51.100.7", last: "198.51.100.7" },
		{ family: 6, interface: "eth0", port: 65_535, first: "2001:db8::", last: "2001:db8::ff" },
		{ family: 6, interface: "eth0", port: 1024, first: "::1", last: "::1" },
	]);
	expect(lines(text, "add element")).toEqual([
		"add element inet k muted4 { 192.0.2.0-192.0.2.255 . 7000 . 1024-6999, 192.0.2.0-192.0.2.255 . 7000 . 7001-65535, 198.51.100.7 . 53 . 1024-65535 }",
		'add element inet k muted_if6 { "eth0" . 2001:db8::-2001:db8::ff . 65535 . 1024-65534, "eth0" . ::1 . 1024 . 1025-65535 }',
	]);
	expect(lines(text, "add rule")).toEqual([
		'add rule inet k ended_egress ip daddr . udp sport . udp dport @muted4 counter name "cut_egress" drop',
		'add rule inet k ended_egress oifname . ip6 daddr . udp sport . udp dport @muted_if6 counter name "cut_egress" drop',
	]);
	expect(lines(text, "delete set")).toEqual(["delete set inet k muted6", "delete set inet k muted_if4"]);
});

test("an interface whose name nftables could misread is left out", () => {
	const text = replaced([{ family: 4, interface: 'e"0', port: 7000, first: "::", last: "::" }]);
	expect(text).not.toContain('e"0');
});
