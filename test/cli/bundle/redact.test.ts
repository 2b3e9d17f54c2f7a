import { describe, expect, test } from "bun:test";
import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { Redactor } from "../../../src/cli/bundle/redact.ts";

describe("text", () => {
	test.each([
		["192.0.2.7 and 192.0.2.7", "ipv4-1 and ipv4-1"],
		["192.0.2.0/24, 198.51.100.9:22.", "ipv4-1/24, ipv4-2:22."],
		["2001:db8::1/64 [2001:DB8::1]:9755", "ipv6-1/64 [ipv6-1]:9755"],
		["fe80::1%eth0: gone", "ipv6-1%eth0: gone"],
		["from ::ffff:192.0.2.7.", "from ipv6-1."],
		["52:54:00:12:34:56", "mac-1"],
		["enx525400123456 is 52:54:00:12:34:56, wlx525400123457.5", "enx-mac-1 is mac-1, wlx-mac-2.5"],
		[
			'no user "evelyn", no unit "acme.service", user "root"',
			'no user "user-1", no unit "unit-1", user "root"',
		],
		["0.0.0.0/0 ::/0 127.0.0.1 ::1 224.0.0.1 ff02::1", "0.0.0.0/0 ::/0 127.0.0.1 ::1 224.0.0.1 ff02::1"],
		[
			"2026-11-30T04:31:35.104233Z libnftables 1.0.6 6.1.0-18",
			"2026-11-30T04:31:35.104233Z libnftables 1.0.6 6.1.0-18",
		],
		['x{policy="a\\"b",rule="1"} 3', 'x{policy="policy-1",rule="1"} 3'],
		['drop comment "ab ingress[0] Block"', 'drop comment "policy-1 ingress[0] Block"'],
		['x{policy="DefaultPosture"} 3', 'x{policy="DefaultPosture"} 3'],
	])("%s", (text, clean) => {
		expect(new Redactor().text(text)).toBe(clean);
	});

	test("values that are known, whole words of them, in any case, the longest first", () => {
		const redactor = new Redactor();
		for (const value of ["db1", "db1.corp.example", "ab"]) redactor.learn("host", value);
		redactor.learn("serial", "4C53 000/1");
		redactor.learn("policy", "");
		expect(redactor.text("DB1.corp.example, db1: db12 xdb1 ab db1-x 4c53 000/1")).toBe(
			"host-2, host-1: db12 xdb1 ab host-1-x serial-1",
		);
	});

	test("no address stays, wherever it stands", () => {
		const around = fc.constantFrom(" ", ",", "/24", "; ", "[", "]", '"', "\n", "=", "(", ")", " -> ");
		fc.assert(
			fc.property(fc.array(fc.tuple(around, fc.oneof(fc.ipV4(), fc.ipV6()), around)), (parts) => {
				const text = parts.flat().join(" ");
				const clean = new Redactor().text(text);
				const left = clean.split(/[^0-9A-Fa-f.:]+/).filter((word) => isIPv4(word) || isIPv6(word));
				expect(
					left.filter((word) => !/^(?:0\.0\.0\.0|127\.|255\.|22[4-9]\.|23\d\.|::$|::1$|ff)/i.test(word)),
				).toEqual([]);
			}),
		);
	});
});

describe("documents", () => {
	const alert = {
		HostName: "vm1",
		NodeID: "n1",
		ClusterName: "prod",
		PolicyName: "np",
		Message: "ask Eve",
		Tags: "EVE",
		ATags: ["EVE"],
		Type: "MatchedNetworkPolicy",
		Data: "SourceIP=192.0.2.7 Serial=1",
		EventData: { SourceIP: "192.0.2.7", Serial: "1", Reason: "Eve asked" },
	};

	test("what keys say, and what people wrote", () => {
		const redactor = new Redactor();
		redactor.study(alert);
		expect(redactor.json(alert)).toEqual({
			HostName: "host-1",
			NodeID: "node-1",
			ClusterName: "cluster-1",
			PolicyName: "policy-1",
			Message: "[left out]",
			Tags: "[left out]",
			ATags: "[left out]",
			Type: "MatchedNetworkPolicy",
			Data: "[left out]",
			EventData: { SourceIP: "ipv4-1", Serial: "serial-1", Reason: "[left out]" },
		});
		expect(redactor.text("vm1 has no n1")).toBe("host-1 has no n1");
	});

	test("a message of the daemon's own stays, without names", () => {
		const redactor = new Redactor();
		redactor.learn("host", "vm1");
		const own = { ...alert, Type: "SystemEvent", Message: "vm1 changed", PolicyName: "" };
		expect(redactor.json(own)).toMatchObject({ Message: "host-1 changed", PolicyName: "" });
	});

	test("whom egress rules name, but for accounts of every host; a link's other names", () => {
		const redactor = new Redactor();
		const sender = (kind: string, name: string, number: number | null) => ({ kind, name, number });
		const document = {
			senders: [
				sender("user", "evelyn", 1000),
				sender("user", "eva", null),
				sender("user", "daemon", 1),
				sender("group", "acme", 998),
				sender("service", "acme-web.service", null),
			],
			warnings: ['no user "eva": write group "acme"', "acme-web.service is not there"],
			links: [{ name: "eth0", altNames: ["enp1s0", "enx525400123456"], kind: "" }],
		};
		redactor.study(document);
		expect(redactor.json(document)).toEqual({
			senders: [
				sender("user", "user-1", 1000),
				sender("user", "user-2", null),
				sender("user", "daemon", 1),
				sender("group", "group-1", 998),
				sender("service", "unit-1", null),
			],
			warnings: ['no user "user-2": write group "group-1"', "unit-1 is not there"],
			links: [{ name: "eth0", altNames: ["enp1s0", "enx-mac-1"], kind: "" }],
		});
	});

	test("names of policies, labels of the host, what diagnostics quote; names of links stay", () => {
		const redactor = new Redactor();
		const document = {
			nodeLabels: { role: "db", "kubernetes.io/hostname": "vm1", "kubernetes.io/os": "linux" },
			policies: [{ name: "a", kind: "KubeArmorNetworkPolicy", file: "/p/a.yaml" }],
			links: [{ name: "br0", kind: "bridge" }],
			diagnostics: [{ severity: "error", code: "x", message: 'no "secret"', hint: "h", path: "spec" }],
			panic: { since: "2026", reason: "Eve" },
			list: [null, 1, true],
		};
		redactor.study(document);
		expect(redactor.json(document)).toEqual({
			nodeLabels: { role: "label-1", "kubernetes.io/hostname": "host-1", "kubernetes.io/os": "linux" },
			policies: [{ name: "policy-1", kind: "KubeArmorNetworkPolicy", file: "file-1" }],
			links: [{ name: "br0", kind: "bridge" }],
			diagnostics: [
				{ severity: "error", code: "x", message: "[left out]", hint: "[left out]", path: "spec" },
			],
			panic: { since: "2026", reason: "[left out]" },
			list: [null, 1, true],
		});
	});
});
