import { describe, expect, test } from "bun:test";
import { formatCidr } from "../../../../src/base/cidr.ts";
import { expectRefused, expectWarned, firstRule, policyText, valid } from "../../../engine/support/policy.ts";

const rule = (text: string): string => `ingress: [${text}]`;
const cidr = (text: string): string => rule(`{from: [{ipBlock: ${text}}]}`);
const port = (text: string): string => rule(`{ports: [${text}]}`);
const iface = (text: string): string => rule(`{iface: [${text}]}`);
const at = "spec.ingress[0]";

describe("what a rule means", () => {
	test("a missing action is Block, severity 1, no tags, no message", () => {
		expect(firstRule("ingress: [{}]")).toMatchObject({ action: "Block", severity: 1, tags: [], message: "" });
	});

	test.each(["allow", "ALLOW", "Allow", "aLLoW"])("action %s is Allow, in spec and rule (N19)", (word) => {
		expect(firstRule(`action: ${word}\ningress: [{}]`).action).toBe("Allow");
		expect(firstRule(`ingress: [{action: ${word}}]`).action).toBe("Allow");
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
		expect(firstRule(spec)).toMatchObject({ peers: [], interfaces: [], ports: [] });
	});

	test("blocks, exceptions and places", () => {
		const rule = firstRule(`ingress:
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

	test("interfaces by name and prefix", () => {
		expect(firstRule('ingress: [{iface: [eth0, "eth*", enp0s31f6, "br-0123456789ab"]}]').interfaces).toEqual([
			{ name: "eth0", prefix: false },
			{ name: "eth", prefix: true },
			{ name: "enp0s31f6", prefix: false },
			{ name: "br-0123456789ab", prefix: false },
		]);
	});

	test("an IPv4 block stays IPv4 (N1)", () => {
		const [peer] = firstRule("ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]").peers;
		expect(peer?.cidr).toEqual({ family: 4, base: 0n, prefix: 0 });
	});
});

describe("what is reported", () => {
	test.each([
		["ingress: [{from: [{ipBlock: {cidr: 10.0.0.1/8}}]}]", "host-bits spec.ingress[0].from[0].ipBlock.cidr"],
		[
			"ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]",
			"matches-nothing spec.ingress[0].from[0].ipBlock.except[0]",
		],
		["ingress: [{iface: [lo]}]", "loopback spec.ingress[0].iface[0]"],
	])("%j is warned of", (spec, finding) => {
		expectWarned(policyText(spec), finding);
	});

	test.each([
		[rule("{form: []}"), `unknown-field ${at}.form`, "did you mean from?"],
		[rule("{to: []}"), `wrong-direction ${at}.to`, "write from"],
		["egress: [{from: []}]", "wrong-direction spec.egress[0].from", "write to"],
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
		["action: *nowhere", "bad-alias spec.action", "write the value out"],
		[port("22"), `wrong-type ${at}.ports[0]`, ""],
		[port("{protocol: TPC, port: 1}"), `bad-protocol ${at}.ports[0].protocol`, "did you mean TCP?"],
	])("%j is refused", (spec, finding, hint) => {
		expectRefused(policyText(spec), finding, hint);
	});
});
