import { describe, expect, test } from "bun:test";
import { parsePolicyFile } from "../../../../src/engine/parse.ts";
import { expectRefused, expectWarned, firstRule, policyText } from "../../../engine/support/policy.ts";

const entry = (text: string): string => `ingress: [{ports: [${text}]}]`;
const at = "spec.ingress[0].ports[0]";

/** Every finding about a policy, as `severity code path: message; hint`. */
function findings(spec: string): string[] {
	return parsePolicyFile("a.yaml", policyText(spec))
		.documents.flatMap(({ diagnostics }) => diagnostics)
		.map(({ severity, code, path, message, hint }) => `${severity} ${code} ${path}: ${message}; ${hint}`);
}

describe("protocols", () => {
	test.each([
		["{protocol: ICMP}", 1],
		["{protocol: icmp}", 1],
		["{protocol: ICMPv6}", 58],
		["{protocol: IGMP}", 2],
		["{protocol: IPIP}", 4],
		["{protocol: GRE}", 47],
		["{protocol: ESP}", 50],
		["{protocol: AH}", 51],
		["{protocol: OSPF}", 89],
		["{protocol: VRRP}", 112],
		["{protocol: 0}", 0],
		["{protocol: 253}", 253],
		['{protocol: "255"}', 255],
		["{protocol: 6, port: 53}", "tcp"],
		['{protocol: "17", port: 53}', "udp"],
		["{protocol: 132}", "sctp"],
	] as const)("%s is read without a word", (text, protocol) => {
		expect(findings(entry(text))).toEqual([]);
		expect(firstRule(entry(text)).ports[0]).toMatchObject({ protocol, source: null, icmpType: null });
	});

	test.each([
		["{protocol: ICMP, icmpType: 8}", 8],
		['{protocol: ICMP, icmpType: "13"}', 13],
		["{protocol: icmp, icmpType: Echo-Request}", 8],
		["{protocol: 58, icmpType: echo-request}", 128],
		["{protocol: ICMPv6, icmpType: nd-neighbor-solicit}", 135],
		["{protocol: ICMPv6, icmpType: neighbour-solicitation}", 135],
	] as const)("%s has the type %p", (text, icmpType) => {
		expect(findings(entry(text))).toEqual([]);
		expect(firstRule(entry(text)).ports[0]).toMatchObject({ icmpType, range: null, source: null });
	});

	test.each([
		["{protocol: ICMP, port: 8}", `no-ports ${at}.port`, "write icmpType: 8, or leave port out"],
		["{protocol: ICMP, port: http}", `no-ports ${at}.port`, "leave port out"],
		["{protocol: GRE, endPort: 8}", `no-ports ${at}.endPort`, "leave endPort out"],
		["{protocol: 89, sourcePort: 8}", `no-ports ${at}.sourcePort`, "leave sourcePort out"],
		["{icmpType: 8}", `icmp-type-alone ${at}.icmpType`, "write protocol: ICMP"],
		["{protocol: TCP, icmpType: 8}", `icmp-type-alone ${at}.icmpType`, "write protocol: ICMP"],
		["{protocol: GRE, icmpType: 8}", `icmp-type-alone ${at}.icmpType`, "write protocol: ICMP"],
		["{protocol: ICMP, icmpType: ping}", `bad-icmp-type ${at}.icmpType`, "did you mean echo-request?"],
		["{protocol: ICMP, icmpType: 256}", `bad-icmp-type ${at}.icmpType`, "0 to 255"],
		["{protocol: ICMP, icmpType: 08}", `bad-icmp-type ${at}.icmpType`, "0 to 255"],
		["{protocol: ICMP, icmpType: packet-too-big}", `bad-icmp-type ${at}.icmpType`, "a name such as"],
		["{protocol: ICMP, icmpType: [8, 0]}", `wrong-type ${at}.icmpType`, "one entry for each type"],
		["{protocol: 256}", `bad-protocol ${at}.protocol`, "0 to 255"],
		["{protocol: 06}", `bad-protocol ${at}.protocol`, "0 to 255"],
		["{protocol: -1}", `bad-protocol ${at}.protocol`, "0 to 255"],
		["{protocol: ANY}", `bad-protocol ${at}.protocol`, "leave protocol and ports out"],
		["{protocol: all}", `bad-protocol ${at}.protocol`, "leave protocol and ports out"],
		[
			"{protocol: ANY, port: 53}",
			`bad-protocol ${at}.protocol`,
			"{protocol: TCP, port: 53}, {protocol: UDP, port: 53}",
		],
		[
			"{protocol: [TCP, UDP], port: 53}",
			`wrong-type ${at}.protocol`,
			"{protocol: TCP, port: 53}, {protocol: UDP, port: 53}",
		],
		[
			'{protocol: "TCP,UDP", port: 53}',
			`bad-protocol ${at}.protocol`,
			"{protocol: TCP, port: 53}, {protocol: UDP, port: 53}",
		],
		["{protocol: TCP/UDP, port: 53}", `bad-protocol ${at}.protocol`, "one entry for each"],
		["{protocol: icmp-v6}", `bad-protocol ${at}.protocol`, "write ICMPv6"],
		["{protocol: ipv6-icmp}", `bad-protocol ${at}.protocol`, "write ICMPv6"],
		["{protocol: HTTP, port: 80}", `bad-protocol ${at}.protocol`, "write protocol: TCP and port: 80"],
		["{protocol: FTP, port: 21}", `bad-protocol ${at}.protocol`, "write protocol: TCP and port: 21"],
		["{protocol: tftp}", `bad-protocol ${at}.protocol`, "write protocol: UDP and port: 69"],
		["{protocol: DCCP, port: 21}", `bad-protocol ${at}.protocol`, "protocol: 33, without port"],
		["{protocol: UDPLITE, port: 21}", `bad-protocol ${at}.protocol`, "protocol: 136, without port"],
		["{protocol: IPsec}", `bad-protocol ${at}.protocol`, "{protocol: ESP}, {protocol: AH}"],
		["{protocol: constructor}", `bad-protocol ${at}.protocol`, "known protocols"],
		['{protocol: "TCP "}', `bad-protocol ${at}.protocol`, "write TCP without spaces"],
		["{protocol: {a: b}}", `wrong-type ${at}.protocol`, "such as TCP"],
	])("%s is refused", (text, finding, hint) => {
		expectRefused(policyText(entry(text)), finding, hint);
	});

	test("nobody is told to leave ports out where ICMP was meant", () => {
		for (const text of [
			"{protocol: ICMP, port: 8}",
			"{protocol: icmp-v6}",
			"{protocol: ping}",
			"{icmpType: 8}",
		]) {
			expect(findings(entry(text)).join("\n")).not.toMatch(/leave (protocol and )?ports out/);
		}
	});

	test.each([
		[entry("{protocol: ICMP, icmpType: echo-reply}"), `icmp-type-not-judged ${at}.icmpType`],
		[entry("{protocol: ICMPv6, icmpType: 129}"), `icmp-type-not-judged ${at}.icmpType`],
		[
			"ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{protocol: ICMPv6}]}]",
			"protocol-family spec.ingress[0].ports",
		],
		[
			"ingress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}], ports: [{protocol: AH}]}]",
			"protocol-family spec.ingress[0].ports",
		],
	])("%s is warned of", (spec, finding) => {
		expectWarned(policyText(spec), finding);
	});
});

describe("source ports", () => {
	test.each([
		["{protocol: UDP, sourcePort: 1900}", null, [1900, 1900]],
		["{protocol: UDP, sourcePort: ssdp}", null, [1900, 1900]],
		["{protocol: UDP, port: 68, sourcePort: 67}", [68, 68], [67, 67]],
		['{protocol: TCP, sourcePort: 1000, sourceEndPort: "1023"}', null, [1000, 1023]],
	] as const)("%s", (text, range, source) => {
		const span = (of: readonly [number, number] | null) => of && { first: of[0], last: of[1] };
		expect(findings(entry(text))).toEqual([]);
		expect(firstRule(entry(text)).ports[0]).toMatchObject({ range: span(range), source: span(source) });
	});

	test.each([
		[
			"{protocol: UDP, sourceEndPort: 1900}",
			`end-port-alone ${at}.sourceEndPort`,
			"write sourcePort as well",
		],
		[
			"{protocol: UDP, sourcePort: 9, sourceEndPort: 8}",
			`end-port-below-port ${at}.sourceEndPort`,
			"9 to 65535",
		],
		["{protocol: UDP, sourcePort: 0}", `bad-source-port ${at}.sourcePort`, "1 to 65535"],
		[
			"{protocol: UDP, sourcePort: 1-2}",
			`bad-source-port ${at}.sourcePort`,
			"sourcePort: 1 and sourceEndPort: 2",
		],
		["{protocol: UDP, sourcePort: any}", `bad-source-port ${at}.sourcePort`, "leave sourcePort out"],
		[
			"{protocol: UDP, sourcePort: [1, 2]}",
			`wrong-type ${at}.sourcePort`,
			"{sourcePort: 1}, {sourcePort: 2}",
		],
		["{protocol: UDP, sourcePort: nosuch}", `unknown-service ${at}.sourcePort`, "number"],
		["{protocol: UDP, sourcePorts: 1}", `unknown-field ${at}.sourcePorts`, "did you mean sourcePort?"],
	])("%s is refused", (text, finding, hint) => {
		expectRefused(policyText(entry(text)), finding, hint);
	});
});

describe("ports in other tools' words", () => {
	test.each([
		['{port: "80,443"}', "{port: 80}, {port: 443}"],
		["{port: [80, 443]}", "{port: 80}, {port: 443}"],
		['{port: "80, 6000-6010"}', "{port: 80}, {port: 6000, endPort: 6010}"],
		["{port: 0443}", "write 443, without a zero"],
		['{port: "443 "}', "write 443 without spaces"],
		['{port: "*"}', "leave port out"],
		["{port: any}", "leave port out"],
		["{port: tcp/80}", "write protocol: TCP and port: 80"],
		["{port: 8080/tcp}", "write protocol: TCP and port: 8080"],
		["{port: 53/UDP}", "write protocol: UDP and port: 53"],
		['{port: "1024:"}', "write port: 1024 and endPort: 65535"],
		['{port: ">1024"}', "endPort: 65535"],
		["{port: 6000-6010}", "write port: 6000 and endPort: 6010"],
		["{port: 192.0.2.1:80}", "write port: 80"],
		["{port: kubernetes}", "write 6443"],
		["{port: rpcbind}", "write sunrpc (111)"],
		["{port: nfs4}", "write nfs (2049)"],
		["{port: wireguard, protocol: UDP}", "write 51820"],
		["{port: vnc-server}", "write rfb (5900)"],
		["{port: samba}", "write smb (445)"],
		["{port: elasticsearch}", "write 9200"],
		["{port: prometheus}", "write 9090"],
		["{port: kubelet}", "write 10250"],
		["{port: mssql}", "write ms-sql-s (1433)"],
		["{port: oracle}", "write 1521"],
		["{port: cockpit}", "write 9090"],
		["{port: smtp-submission}", "write submission (587)"],
	])("%s: %s", (text, hint) => {
		const [finding, ...others] = findings(entry(text));
		expect(others).toEqual([]);
		expect(finding).toStartWith("error ");
		expect(finding).toContain(hint);
		expect(finding).not.toContain("mysql");
	});
});
