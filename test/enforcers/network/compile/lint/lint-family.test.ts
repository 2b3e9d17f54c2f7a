import { describe, expect, test } from "bun:test";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { policyText, valid } from "../../../../engine/support/policy.ts";
import { options } from "../options.ts";

function lint(...specs: readonly string[]) {
	const policies = specs.map((spec, index) => valid(policyText(spec, `p${index}`)));
	const { diagnostics } = compileNetwork(policies, options);
	return diagnostics.filter(({ code }) => code.endsWith("-only-block"));
}

const v4 = "{ipBlock: {cidr: 0.0.0.0/0}}";
const v6 = '{ipBlock: {cidr: "::/0"}}';
const telnet = "ports: [{protocol: TCP, port: 23}]";

describe("a Block of one whole family", () => {
	test.each([
		[`ingress: [{from: [${v4}], ${telnet}}]`, "ipv4-only-block", "leave from out"],
		[`egress: [{to: [${v4}]}]`, "ipv4-only-block", "leave to out"],
		[`egress: [{to: [${v6}], ${telnet}}]`, "ipv6-only-block", '"0.0.0.0/0"'],
		[
			"ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}]",
			"ipv4-only-block",
			"",
		],
		[`ingress: [{iface: ["eth*"], from: [${v4}]}]`, "ipv4-only-block", ""],
		[
			"egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]",
			"ipv4-only-block",
			'{cidr: "::/0"} to to, with except',
		],
	])("%s leaves the other open", (spec, code, hint) => {
		const [found, ...more] = lint(spec);
		expect(more).toEqual([]);
		expect(found).toMatchObject({
			code,
			severity: "warning",
			path: expect.stringMatching(/^spec\.\w+\[0\]$/),
		});
		expect(found?.message).toMatch(code === "ipv4-only-block" ? /IPv6 stays open/ : /IPv4 stays open/);
		expect(found?.hint).toContain(hint);
	});

	test.each([
		["both in one rule", `ingress: [{from: [${v4}, ${v6}], ${telnet}}]`],
		["no block at all", `ingress: [{${telnet}}]`],
		["two rules", `ingress: [{from: [${v4}], ${telnet}}, {from: [${v6}], ${telnet}}]`],
		["a part of it", "ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/1}}]}]"],
		["an Audit", `ingress: [{from: [${v4}], action: Audit}]`],
		[
			"an allow-list drops the other",
			`ingress: [{from: [${v4}], ${telnet}}, {action: Allow, ports: [{port: 22}]}]`,
		],
	])("%s is left alone", (_what, spec) => {
		expect(lint(spec)).toEqual([]);
	});

	test("the rule for the other family may be another policy's", () => {
		expect(lint(`ingress: [{from: [${v4}]}]`, `ingress: [{from: [${v6}]}]`)).toEqual([]);
		expect(lint(`ingress: [{from: [${v4}]}]`, `egress: [{to: [${v6}]}]`).map(({ code }) => code)).toEqual([
			"ipv4-only-block",
			"ipv6-only-block",
		]);
	});
});
