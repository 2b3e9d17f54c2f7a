import { describe, expect, test } from "bun:test";
import { formatCidr } from "../../src/policy/cidr.ts";
import type { NetworkRule } from "../../src/policy/model.ts";
import { brief, only, policyText, valid } from "./support/policy.ts";

function ingress(spec: string): NetworkRule {
	const [rule] = valid(policyText(spec)).ingress;
	if (rule === undefined) throw new Error("no rule");
	return rule;
}

describe("what a valid policy means", () => {
	test("a missing action is Block, severity 1, no tags, no message", () => {
		expect(ingress("ingress: [{}]")).toMatchObject({ action: "Block", severity: 1, tags: [], message: "" });
	});

	test.each(["allow", "ALLOW", "Allow", "aLLoW"])("action %s is Allow, in spec and rule (N19)", (word) => {
		expect(ingress(`action: ${word}\ningress: [{}]`).action).toBe("Allow");
		expect(ingress(`ingress: [{action: ${word}}]`).action).toBe("Allow");
	});

	test("a rule overrides action, severity, tags and message; others inherit (N17)", () => {
		const policy = valid(
			policyText(`action: Audit
severity: 3
tags: [a, b]
message: spec
ingress:
- action: Block
  severity: 9
  tags: [c]
  message: rule
- {}
egress:
- message: ""
  tags: []`),
		);
		expect(policy.action).toBe("Audit");
		expect(policy.ingress[0]).toMatchObject({
			action: "Block",
			severity: 9,
			tags: ["c"],
			message: "rule",
			index: 0,
		});
		expect(policy.ingress[1]).toMatchObject({
			action: "Audit",
			severity: 3,
			tags: ["a", "b"],
			message: "spec",
			index: 1,
		});
		expect(policy.egress[0]).toMatchObject({ tags: [], message: "", index: 0 });
	});

	test.each([
		"ingress: [{}]",
		"ingress: [{from: [], ports: [], iface: []}]",
		'ingress: [{iface: ["*"]}]',
		'ingress: [{iface: [eth0, "*"]}]',
	])("%s matches everything", (spec) => {
		expect(ingress(spec)).toMatchObject({ peers: [], interfaces: [], ports: [] });
	});

	test.each(["ingress: []\negress: [{}]", "egress: [{}]"])("%j has no ingress rules", (spec) => {
		expect(valid(policyText(spec)).ingress).toEqual([]);
	});

	test("blocks, exceptions and places", () => {
		const rule = ingress(`ingress:
- from:
  - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.1.0.0/16, 10.1.2.0/24]}
  - ipBlock:
      cidr: "2001:db8::1"`);
		expect(rule.peers.map((peer) => [formatCidr(peer.cidr), peer.except.map(formatCidr)])).toEqual([
			["10.0.0.0/8", ["10.1.0.0/16", "10.1.0.0/16", "10.1.2.0/24"]],
			["2001:db8::1/128", []],
		]);
		expect(rule.place).toEqual({ file: "p.yaml", line: 10, column: 5 });
		expect(rule.peers[1]?.place).toEqual({ file: "p.yaml", line: 13, column: 15 });
	});

	test.each([
		["{port: 22}", "tcp", [22, 22]],
		['{port: "22"}', "tcp", [22, 22]],
		["{port: SSH}", "tcp", [22, 22]],
		["{port: ssh, endPort: 25}", "tcp", [22, 25]],
		["{port: 80, endPort: 80}", "tcp", [80, 80]],
		['{port: 8000, endPort: "9000", protocol: udp}', "udp", [8000, 9000]],
		["{port: dns, protocol: UDP}", "udp", [53, 53]],
		["{port: 65535, protocol: Sctp}", "sctp", [65535, 65535]],
		["{protocol: tcp}", "tcp", null],
		["{protocol: SCTP}", "sctp", null],
	] as const)("ports entry %s", (entry, protocol, range) => {
		const [port] = ingress(`ingress: [{ports: [${entry}]}]`).ports;
		expect(port?.protocol).toBe(protocol);
		expect(port?.range ?? null).toEqual(range === null ? null : { first: range[0], last: range[1] });
	});

	test("a protocol without a port is that protocol only, not everything (N10)", () => {
		expect(ingress("ingress: [{ports: [{protocol: UDP}]}]").ports).toMatchObject([
			{ protocol: "udp", range: null },
		]);
	});

	test("interfaces by name and prefix", () => {
		expect(ingress('ingress: [{iface: [eth0, "eth*", enp0s31f6, "br-0123456789ab"]}]').interfaces).toEqual([
			{ name: "eth0", prefix: false },
			{ name: "eth", prefix: true },
			{ name: "enp0s31f6", prefix: false },
			{ name: "br-0123456789ab", prefix: false },
		]);
	});

	test("an IPv4 block stays IPv4 (N1)", () => {
		const [peer] = ingress("ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]").peers;
		expect(peer?.cidr).toEqual({ family: 4, base: 0n, prefix: 0 });
	});

	test("JSON reads like YAML, indented with tabs or not", () => {
		const policy = {
			apiVersion: "security.kubearmor.com/v1",
			kind: "KubeArmorNetworkPolicy",
			metadata: { name: "j", labels: { a: "b" } },
			spec: { nodeSelector: { matchLabels: { a: "b" } }, egress: [{ ports: [{ port: 443 }] }] },
		};
		for (const indent of ["", "  ", "\t"])
			expect(valid(JSON.stringify(policy, null, indent)).egress).toHaveLength(1);
	});

	test("an anchor may be used again", () => {
		const policy = valid(
			policyText("ingress: [{from: &n [{ipBlock: {cidr: 10.0.0.0/8}}]}]\negress: [{to: *n}]"),
		);
		expect(policy.egress[0]?.peers).toEqual(policy.ingress[0]?.peers ?? []);
	});
});

describe("what is warned of", () => {
	test.each([
		["ingress: [{from: [{ipBlock: {cidr: 10.0.0.1/8}}]}]", "host-bits spec.ingress[0].from[0].ipBlock.cidr"],
		[
			"ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]",
			"matches-nothing spec.ingress[0].from[0].ipBlock.except[0]",
		],
		["ingress: [{iface: [lo]}]", "loopback spec.ingress[0].iface[0]"],
		["ingress: [{ports: [{}]}]", "any-tcp-port spec.ingress[0].ports[0]"],
		["ingress:\n- from:\n  ports: [{port: 22}]", "empty-field spec.ingress[0].from"],
		["ingress: ~\negress: [{}]", "empty-field spec.ingress"],
		["action: Allow", "no-rules spec"],
		["ingress: []\negress: []", "no-rules spec"],
	])("%j", (spec, finding) => {
		const document = only(policyText(spec));
		expect(brief(document.diagnostics)).toEqual([`warning ${finding}`]);
		expect(document.policy).not.toBeNull();
	});

	test("metadata.namespace is ignored", () => {
		const text = policyText("ingress: [{}]").replace(
			"  name: p",
			"  name: p\n  namespace: default\n  annotations: {a: b}",
		);
		expect(brief(only(text).diagnostics)).toEqual(["warning namespace-ignored metadata.namespace"]);
	});

	test.each([
		"",
		"  nodeSelector:\n",
		"  nodeSelector: {}\n",
		"  nodeSelector: {matchLabels: {}}\n",
		"  nodeSelector: {matchLabels: }\n",
	])("nodeSelector %j selects nothing (N15)", (selector) => {
		const text = policyText("ingress: [{}]").replace(/ {2}nodeSelector:[\s\S]*"\*"\n/, selector);
		const document = only(text);
		expect(document.diagnostics.map((d) => d.code)).toContain("selects-nothing");
		expect(Object.keys(document.policy?.nodeSelector.matchLabels ?? { none: "" })).toEqual([]);
	});
});

describe("what is refused, with its path", () => {
	const rule = (text: string): string => `ingress: [${text}]`;
	const cidr = (text: string): string => rule(`{from: [{ipBlock: ${text}}]}`);
	const port = (text: string): string => rule(`{ports: [${text}]}`);
	const iface = (text: string): string => rule(`{iface: [${text}]}`);
	const at = "spec.ingress[0]";
	test.each([
		["ingres: []", "unknown-field spec.ingres", "did you mean ingress?"],
		[rule("{form: []}"), `unknown-field ${at}.form`, "did you mean from?"],
		[rule("{to: []}"), `wrong-direction ${at}.to`, "write from"],
		["egress: [{from: []}]", "wrong-direction spec.egress[0].from", "write to"],
		[rule("{limit: 2MB}"), `quota-unsupported ${at}.limit`, "remove it"],
		[rule("{duration: 1d}"), `quota-unsupported ${at}.duration`, "remove it"],
		["level: Pod", "quota-unsupported spec.level", "remove it"],
		["selector: {matchLabels: {app: web}}", "no-pods spec.selector", "nodeSelector"],
		["network: {matchProtocols: [{protocol: tcp}]}", "match-protocols spec.network", "egress: [{to:"],
		["device: {}", "wrong-kind spec.device", "KubeArmorHostPolicy"],
		["action: Deny", "bad-action spec.action", "write Block"],
		["action: Alow", "bad-action spec.action", "did you mean Allow?"],
		["action: constructor", "bad-action spec.action", "known actions"],
		["action: 1", "wrong-type spec.action", 'put it in quotes: "1"'],
		["action: [Allow]", "wrong-type spec.action", "without brackets"],
		["severity: 0", "out-of-range spec.severity", "1 to 10"],
		["severity: 11", "out-of-range spec.severity", "1 to 10"],
		["severity: 5.5", "out-of-range spec.severity", "1 to 10"],
		["severity: 0x5", "out-of-range spec.severity", "1 to 10"],
		["severity: .nan", "out-of-range spec.severity", "1 to 10"],
		['severity: "5"', "wrong-type spec.severity", "without quotes"],
		["tags: NIST", "wrong-type spec.tags", ""],
		["tags: [1]", "wrong-type spec.tags[0]", "quotes"],
		["message: true", "wrong-type spec.message", "quotes"],
		["message: {a: b}", "wrong-type spec.message", ""],
		["ingress: {}", "wrong-type spec.ingress", ""],
		["ingress: [~]", `empty-rule ${at}`, "- {}"],
		["ingress: [from]", `wrong-type ${at}`, ""],
		[rule("{from: {}}"), `wrong-type ${at}.from`, ""],
		[rule("{from: [~]}"), `wrong-type ${at}.from[0]`, ""],
		["tags: [~]", "wrong-type spec.tags[0]", ""],
		[rule("{from: [{}]}"), `missing-field ${at}.from[0]`, "ipBlock"],
		[rule("{from: [{cidr: 10.0.0.0/8}]}"), `unknown-field ${at}.from[0].cidr`, "ipBlock"],
		[rule("{from: [{podSelector: {}}]}"), `no-pods ${at}.from[0].podSelector`, "address block"],
		[cidr("{}"), `missing-field ${at}.from[0].ipBlock`, "cidr: 10.0.1.0/24"],
		[cidr("10.0.0.0/8"), `wrong-type ${at}.from[0].ipBlock`, ""],
		[cidr("{cidr: 10.0.0.0/33}"), `bad-cidr ${at}.from[0].ipBlock.cidr`, "10.0.0.0/32"],
		[cidr("{cidr: example.org}"), `bad-cidr ${at}.from[0].ipBlock.cidr`, "address"],
		[cidr("{cidr: 10}"), `wrong-type ${at}.from[0].ipBlock.cidr`, "quotes"],
		[
			cidr("{cidr: 10.0.0.0/8, except: [11.0.0.0/16]}"),
			`except-outside ${at}.from[0].ipBlock.except[0]`,
			"part",
		],
		[
			cidr("{cidr: 10.0.0.0/8, except: [0.0.0.0/0]}"),
			`except-outside ${at}.from[0].ipBlock.except[0]`,
			"part",
		],
		[cidr("{cidr: 0.0.0.0/0, except: ['::/0']}"), `except-outside ${at}.from[0].ipBlock.except[0]`, "part"],
		[cidr("{cidr: 10.0.0.0/8, except: 10.1.0.0/16}"), `wrong-type ${at}.from[0].ipBlock.except`, ""],
		[rule("{iface: eth0}"), `wrong-type ${at}.iface`, '["eth0"]'],
		[iface("abcdefghijklmnop"), `bad-iface ${at}.iface[0]`, "ip link"],
		[iface('"e*h"'), `bad-iface ${at}.iface[0]`, "prefix"],
		[iface('"**"'), `bad-iface ${at}.iface[0]`, "prefix"],
		[iface('""'), `bad-iface ${at}.iface[0]`, "name"],
		[iface('".."'), `bad-iface ${at}.iface[0]`, "name"],
		[iface('"a b"'), `bad-iface ${at}.iface[0]`, ""],
		[iface('"a/b"'), `bad-iface ${at}.iface[0]`, ""],
		[iface(String.raw`"a\"b"`), `bad-iface ${at}.iface[0]`, ""],
		[iface(String.raw`"a\0b"`), `bad-iface ${at}.iface[0]`, ""],
		[iface(String.raw`"a\\b"`), `bad-iface ${at}.iface[0]`, ""],
		[iface("é"), `bad-iface ${at}.iface[0]`, ""],
		[iface("7"), `wrong-type ${at}.iface[0]`, "quotes"],
		[port("22"), `wrong-type ${at}.ports[0]`, ""],
		[port("{port: 0}"), `bad-port ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: 70000}"), `bad-port ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: -1}"), `bad-port ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: 010}"), `bad-port ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: 2e2}"), `bad-port ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: 80-90}"), `bad-port ${at}.ports[0].port`, "endPort: 90"],
		[port("{port: sssh}"), `unknown-service ${at}.ports[0].port`, "number"],
		[port("{port: ntp}"), `unknown-service ${at}.ports[0].port`, "protocol: UDP"],
		[port("{port: [22]}"), `wrong-type ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: true}"), `wrong-type ${at}.ports[0].port`, "1 to 65535"],
		[port("{endPort: 90}"), `end-port-alone ${at}.ports[0].endPort`, "port"],
		[port("{port: 90, endPort: 80}"), `end-port-below-port ${at}.ports[0].endPort`, ""],
		[port("{port: ssh, endPort: 21}"), `end-port-below-port ${at}.ports[0].endPort`, ""],
		[port("{port: 1, endPort: http}"), `wrong-type ${at}.ports[0].endPort`, "number"],
		[port("{port: 1, endPort: 65536}"), `bad-end-port ${at}.ports[0].endPort`, "65535"],
		[port("{protocol: ICMP}"), `bad-protocol ${at}.ports[0].protocol`, "leave ports out"],
		[port("{protocol: TPC, port: 1}"), `bad-protocol ${at}.ports[0].protocol`, "did you mean TCP?"],
		["ingress: []\ningress: []", "duplicate-field spec.ingress", "one of them"],
		["__proto__: {action: Allow}", "unknown-field spec.__proto__", ""],
		["constructor: 1", "unknown-field spec.constructor", ""],
		["? [a, b]\n: c", "bad-key spec", "brackets"],
		["<<: {action: Allow}", 'unknown-field spec["<<"]', ""],
		["action: *nowhere", "bad-alias spec.action", "write the value out"],
	])("%j", (spec, finding, hint) => {
		const document = only(policyText(spec));
		const errors = document.diagnostics.filter((d) => d.severity === "error");
		expect(errors.map((d) => `${d.code} ${d.path}`)).toEqual([finding]);
		expect(errors[0]?.hint).toContain(hint);
		expect(document.policy).toBeNull();
	});

	test.each([
		["  name: p", "  name: My Policy_1", "bad-name metadata.name", "write name: my-policy-1"],
		["  name: p", `  name: ${"a".repeat(254)}`, "bad-name metadata.name", `write name: ${"a".repeat(253)}`],
		["  name: p", "  name: ../../etc/passwd", "bad-name metadata.name", "write name: "],
		["  name: p", "  name: 7", "wrong-type metadata.name", 'put it in quotes: "7"'],
		["  name: p", "  nmae: p", "unknown-field metadata.nmae", "did you mean name?"],
		["  name: p", "  labels: {}", "missing-field metadata", "name"],
		["metadata:\n  name: p\n", "", "missing-field ", "metadata"],
		[
			"security.kubearmor.com/v1",
			"security.kubearmor.com/v2",
			"bad-api-version apiVersion",
			"security.kubearmor.com/v1",
		],
		["apiVersion: security.kubearmor.com/v1\n", "", "missing-field ", "apiVersion"],
		[
			'      kubernetes.io/hostname: "*"',
			"      role: 1",
			"wrong-type spec.nodeSelector.matchLabels.role",
			"quotes",
		],
		[
			'      kubernetes.io/hostname: "*"',
			"      kubernetes.io/hostnamereg: '(a'",
			'bad-pattern spec.nodeSelector.matchLabels["kubernetes.io/hostnamereg"]',
			"quantifiers",
		],
		[
			"    matchLabels:",
			"    matchExpressions:",
			"unsupported-field spec.nodeSelector.matchExpressions",
			"matchLabels",
		],
	])("%j → %j", (before, after, finding, hint) => {
		const text = policyText("ingress: [{}]");
		expect(text).toContain(before);
		const document = only(text.replace(before, after));
		const errors = document.diagnostics.filter((d) => d.severity === "error");
		expect(errors.map((d) => `${d.code} ${d.path}`)).toContain(finding);
		expect(errors.map((d) => d.hint).join("\n")).toContain(hint);
		expect(document.policy).toBeNull();
	});

	test("text for the kernel never comes through: every string of N12 is refused", () => {
		const attack = '10.0.0.0/8 accept\n}\nflush ruleset\n"';
		for (const spec of [
			cidr(`{cidr: ${JSON.stringify(attack)}}`),
			iface(JSON.stringify(attack)),
			port(`{port: ${JSON.stringify(attack)}}`),
			port(`{protocol: ${JSON.stringify(attack)}}`),
		]) {
			const document = only(policyText(spec));
			expect(document.policy).toBeNull();
			for (const { message, hint } of document.diagnostics) expect(message + hint).not.toContain("\n");
		}
	});
});
