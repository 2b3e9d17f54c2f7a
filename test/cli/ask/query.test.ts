import { describe, expect, test } from "bun:test";
import { parseQuery } from "../../../src/cli/ask/query.ts";

const top4 = (1n << 32n) - 1n;
const top6 = (1n << 128n) - 1n;

test("a question of every part", () => {
	expect(parseQuery("ingress tcp 22-80 from 10.0.0.0/8,!10.1.0.0/16 interface=eth0 verdict=Allow")).toEqual({
		direction: "ingress",
		protocol: "tcp",
		ports: { first: 22, last: 80 },
		addresses: {
			4: [
				{ first: 0x0a000000n, last: 0x0a00ffffn },
				{ first: 0x0a020000n, last: 0x0affffffn },
			],
			6: [],
		},
		interface: "eth0",
		action: "Allow",
	});
});

test("blocks that are only left out are left out of everything, in any case", () => {
	expect(parseQuery("EGRESS Any ANY to !0.0.0.0/0 VERDICT=block")).toEqual({
		direction: "egress",
		protocol: "any",
		ports: null,
		addresses: { 4: [], 6: [{ first: 0n, last: top6 }] },
		interface: null,
		action: "Block",
	});
	expect(parseQuery("ingress udp dns verdict=Audit").ports).toEqual({ first: 53, last: 53 });
	expect(parseQuery("ingress icmp any verdict=Audit").addresses[4]).toEqual([{ first: 0n, last: top4 }]);
});

test("who sends, by name or number", () => {
	const asked = (text: string) => parseQuery(`egress tcp 25 ${text} verdict=Allow`).sender;
	expect(asked("")).toBeUndefined();
	expect(asked("USER=root service=nginx")).toEqual({ user: 0, group: null, service: "nginx.service" });
	expect(asked("group=4242")).toEqual({ user: null, group: 4242, service: null });
});

describe("what is no question is told what to write", () => {
	test.each([
		["", "write DIRECTION"],
		["ingress tcp", "write DIRECTION"],
		["in tcp 22 verdict=Allow", "write ingress or egress"],
		["ingress tpc 22 verdict=Allow", "is no protocol"],
		["ingress any 22 verdict=Allow", "a port needs its protocol"],
		["ingress gre 22 verdict=Allow", "GRE has no ports"],
		["ingress tcp 70000 verdict=Allow", "0 to 65535"],
		["ingress tcp 80-22 verdict=Allow", "ends before it begins"],
		["ingress tcp 22", "verdict=Allow, verdict=Audit or verdict=Block"],
		["ingress tcp 22 verdict=Deny", "is no verdict"],
		["ingress tcp 22 to 10.0.0.0/8 verdict=Allow", "asked with from"],
		["ingress tcp 22 from 10.0.0.0/8 from 10.0.0.0/8 verdict=Allow", "twice"],
		["ingress tcp 22 from ten verdict=Allow", "ten"],
		["ingress tcp 22 interface=eth* verdict=Allow", "is a pattern"],
		["ingress tcp 22 user=root verdict=Allow", "no user, group or service"],
		["egress tcp 22 user=portward-nobody verdict=Allow", "knows no user"],
		["egress tcp 22 service=web@ verdict=Allow", "a template"],
		["ingress tcp 22 verdict=Allow please", "is not expected here"],
	])("%s", (text, message) => {
		expect(() => parseQuery(text)).toThrow(message);
	});
});
