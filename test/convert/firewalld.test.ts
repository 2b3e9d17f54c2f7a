/** Zones of firewalld, and what they mean for packets. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { convertAll, formats } from "../../src/convert/formats.ts";
import { convertTexts, differences } from "./support/host.ts";

const header = '<?xml version="1.0" encoding="utf-8"?>\n';
const zone = (content: string, attributes = "") => `${header}<zone${attributes}>\n${content}\n</zone>\n`;
const from = "192.0.2.1";

describe("a default zone", () => {
	const host = convertTexts([
		zone(`  <!-- as installed -->
  <short>Public</short>
  <service name="ssh"/>
  <service name="dhcpv6-client"/>
  <port port="8000-8010" protocol="tcp"/>
  <source-port port="5353" protocol="udp"/>
  <protocol value="esp"/>
  <icmp-block name="timestamp-request"/>
  <rule family="ipv4"><source address="203.0.113.0/24"/><reject/></rule>
  <rule family="ipv4" priority="-10"><source address="203.0.113.7/32"/><service name="ssh"/><accept/></rule>
  <rule family="ipv6"><source address="2001:db8::/32"/><port port="9000" protocol="udp"/><log prefix="x"/><accept/></rule>
  <rule family="ipv4"><source address="10.0.0.0/8" invert="True"/><port port="9001" protocol="tcp"/><accept/></rule>
  <forward/>`),
	]);

	test.each([
		["Allow", { address: from, port: 22 }],
		["Allow", { address: "2001:db9::1", port: 22 }],
		["Block", { address: from, port: 23 }],
		["Block", { address: "203.0.113.9", port: 22 }],
		["Allow", { address: "203.0.113.7", port: 22 }],
		["Block", { address: "203.0.113.7", port: 8000 }],
		["Allow", { address: from, port: 8010 }],
		["Allow", { address: from, port: 7, protocol: "udp", source: 5353 }],
		["Allow", { address: from, protocol: 50 }],
		["Allow", { address: from, protocol: 1, source: 8 }],
		["Block", { address: from, protocol: 1, source: 13 }],
		["Allow", { address: "2001:db9::1", protocol: 58, source: 128 }],
		["Allow", { address: "2001:db8::1", port: 9000, protocol: "udp" }],
		["Block", { address: "2001:db9::1", port: 9000, protocol: "udp" }],
		["Allow", { address: from, port: 9001 }],
		["Block", { address: "10.1.1.1", port: 9001 }],
		["Block", { address: "2001:db9::1", port: 9001 }],
		["Allow", { address: from, port: 25, direction: "egress" }],
	] as const)("%s %j", (expected, asked) => {
		expect(host.verdict(asked)).toBe(expected);
	});

	test("agrees with the source", () => {
		expect(differences(host)).toEqual([]);
		expect(host.findings.filter(({ kind }) => kind === "lost")).toEqual([]);
		expect(host.text).toContain("essentials");
	});
});

test.each([
	["ACCEPT", "", "Allow", "Allow"],
	["ACCEPT", "<icmp-block-inversion/>", "Allow", "Block"],
	["DROP", "", "Block", "Block"],
	["%%REJECT%%", "", "Block", "Block"],
	["default", "<icmp-block-inversion/>", "Block", "Block"],
	["default", '<icmp-block-inversion/><icmp-block name="echo-request"/>', "Block", "Allow"],
] as const)("target %s %s: tcp %s, ping %s", (target, content, tcp, ping) => {
	const host = convertTexts([zone(content, ` target="${target}"`)]);
	expect(host.verdict({ address: from, port: 80 })).toBe(tcp);
	expect(host.verdict({ address: from, protocol: 1, source: 8 })).toBe(ping);
	expect(differences(host)).toEqual([]);
});

test("zones by source come before zones by interface, and the rest is the default zone's", () => {
	const host = convertTexts([
		zone('<service name="http"/>'),
		zone('<interface name="eth1"/><service name="ssh"/>'),
		zone('<source address="10.0.0.0/8"/>', ' target="ACCEPT"'),
		zone('<interface name="wg0"/>', ' target="ACCEPT"'),
	]);
	const verdict = (address: string, port: number, link: string) =>
		host.verdict({ address, port, interface: link });
	expect(verdict("10.1.1.1", 99, "eth1")).toBe("Allow");
	expect([verdict(from, 22, "eth1"), verdict(from, 80, "eth1")]).toEqual(["Allow", "Block"]);
	expect([verdict(from, 22, "eth0"), verdict(from, 80, "eth0")]).toEqual(["Block", "Allow"]);
	expect(verdict(from, 99, "wg0")).toBe("Allow");
	expect(differences(host)).toEqual([]);
});

test("what no zone names is refused where the default zone is not given", () => {
	const host = convertTexts([zone('<interface name="eth1"/>', ' target="ACCEPT"')]);
	expect(host.verdict({ address: from, port: 1, interface: "eth0" })).toBe("Block");
	expect(host.findings.map(({ message }) => message).join()).toContain(
		"the default zone, which is not given",
	);
});

test("the file of a service stands before what is known of it, and services include others", () => {
	const service = (content: string) => `${header}<service>${content}</service>`;
	const files = [
		{ file: "/etc/firewalld/zones/public.xml", text: zone('<service name="own"/><service name="ssh"/>') },
		{
			file: "services/own.xml",
			text: service('<port port="1234" protocol="udp"/><include service="http"/>'),
		},
		{ file: "services/ssh.xml", text: service('<port protocol="tcp" port="2222"/>') },
	];
	const firewalld = formats.find(({ name }) => name === "firewalld");
	const converted = firewalld && convertAll(firewalld, files);
	const policies = converted?.ok ? converted.conversions.flatMap((one) => one.policies) : [];
	expect(JSON.stringify(policies)).toMatch(/"port":1234.*"port":80.*"port":2222/u);
	const host = convertTexts([files[0]?.text ?? ""]);
	expect(host.findings).toContainEqual(expect.objectContaining({ kind: "lost", line: 3 }));
	expect(host.verdict({ address: from, port: 22 })).toBe("Allow");
});

test.each([
	['<service name="mdns"/>', "mdns"],
	['<rule><source mac="00:11:22:33:44:55"/><accept/></rule>', "its source is no address"],
	['<rule><service name="ssh"/><accept><limit value="1/m"/></accept></rule>', "limit"],
	['<rule><destination address="192.0.2.9"/><accept/></rule>', "destination"],
	['<rule><forward-port port="80" protocol="tcp" to-port="8080"/></rule>', "forwarding"],
	['<icmp-block name="host-unreachable"/>', "a code of one"],
	['<port port="80" protocol="dccp"/>', "no counterpart"],
	['<source ipset="bad"/>', "only addresses"],
	['<tcp-mss-clamp value="pmtu"/>', "no counterpart"],
])("%s is told, and opens nothing", (content, what) => {
	const host = convertTexts([zone(`${content}<service name="http"/>`)]);
	expect(host.findings.filter(({ kind }) => kind === "lost").map(({ message }) => message)).toEqual([
		expect.stringContaining(what),
	]);
	expect(host.verdict({ address: from, port: 22 })).toBe("Block");
});

describe("hostile text", () => {
	const firewalld = formats.find(({ name }) => name === "firewalld");
	const convert = (text: string) => firewalld && convertAll(firewalld, [{ file: "x.xml", text }]);

	test("document types, entities, broken and endless elements are a problem with a place", () => {
		for (const text of [
			'<!DOCTYPE zone [<!ENTITY a "b">]><zone/>',
			"<zone>",
			"<zone/><zone/>",
			"<zone><a></b></zone>",
			"zone",
			"<zone/>x",
			"<policy/>",
			"<service/>",
			"<zone>".repeat(100),
			`<zone>${"<a/>".repeat(60_000)}</zone>`,
			"<!--".repeat(10_000),
		])
			expect(convert(text)).toMatchObject({ ok: false, problems: [{ file: "x.xml", line: 1 }] });
	});

	test("no text makes the reader throw", () => {
		const piece = fc.constantFrom(
			"<zone>",
			"</zone>",
			"<rule>",
			"</rule>",
			"<accept/>",
			'<source address="10.0.0.0/8"/>',
			'<port port="1-2" protocol="tcp"/>',
			'<service name="ssh"/>',
			"<drop/>",
			'<icmp-type name="x"/>',
			"&amp;",
			"<!--",
			"-->",
			'<a b="&lt;"/>',
			"<",
			">",
		);
		fc.assert(
			fc.property(fc.array(fc.oneof(piece, fc.string())), (parts) => {
				expect(convert(parts.join(""))).toBeDefined();
				expect(convert(`<zone>${parts.join("")}</zone>`)).toBeDefined();
			}),
			{ numRuns: 300 },
		);
	});
});
