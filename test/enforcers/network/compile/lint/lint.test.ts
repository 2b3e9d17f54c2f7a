import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPolicy } from "../../../../../src/enforcers/network/model.ts";
import { cidr, policy, rule } from "../build.ts";
import { packets, policySets } from "../generate.ts";
import { options } from "../options.ts";
import { judge } from "../oracle.ts";

// Many random cases: on a busy machine they take longer than the usual 5 s.
setDefaultTimeout(180_000);

function lint(policies: readonly NetworkPolicy[]): string[] {
	const result = compileNetwork(policies, options);
	if (!result.ok) throw new Error(result.diagnostics[0]?.message);
	return result.diagnostics.map((item) => `${item.code} ${item.path}`);
}

describe("lint", () => {
	test("a rule that a stricter equal one decides for is shadowed", () => {
		const set = [
			policy("a", rule("Block", { ports: ["tcp/22"] })),
			policy("b", rule("Audit", { ports: ["tcp/22"] })),
		];
		expect(lint(set)).toEqual(["rule-shadowed spec.ingress[0]"]);
	});

	test("a broad rule is shadowed when narrower ones cover it together", () => {
		const halves = rule("Block", { peers: ["10.0.0.0/9", "10.128.0.0/9"] });
		expect(lint([policy("a", halves), policy("b", rule("Audit", { peers: ["10.0.0.0/8"] }))])).toEqual([
			"rule-shadowed spec.ingress[0]",
		]);
		const most = rule("Block", { peers: ["10.0.0.0/9", "10.128.0.0/10"] });
		expect(lint([policy("a", most), policy("b", rule("Audit", { peers: ["10.0.0.0/8"] }))])).toEqual([]);
	});

	test("types, protocols and source ports are shadowed by what decides all that they match", () => {
		const shadowed = ["rule-shadowed spec.ingress[0]"];
		const audit = (...ports: string[]) => policy("b", rule("Audit", { ports }));
		const block = (...ports: string[]) => policy("a", rule("Block", { ports }));
		expect(lint([block("1<8"), audit("1<8")])).toEqual(shadowed);
		expect(lint([block("47"), audit("47")])).toEqual(shadowed);
		expect(lint([block("udp<1900"), audit("udp<1900")])).toEqual(shadowed);
		expect(lint([block("udp<1-1000", "udp<1001-2000"), audit("udp<1-2000")])).toEqual(shadowed);
		expect(lint([block("udp/53<1-1000", "udp/53<1001-2000"), audit("udp/53<1-2000")])).toEqual(shadowed);
		// Narrower or apart: each decides something.
		expect(lint([block("1"), audit("1<8")])).toEqual([]);
		expect(lint([block("1<8"), audit("1")])).toEqual([]);
		expect(lint([block("1<8"), audit("1<13")])).toEqual([]);
		expect(lint([block("udp<1900"), audit("udp/1900")])).toEqual([]);
		expect(lint([block("udp<1-1000", "udp<1002-2000"), audit("udp<1-2000")])).toEqual([]);
		expect(lint([block("47"), policy("b", rule("Audit"))])).toEqual([]);
	});

	test("a protocol that no packet of the addresses has can never match", () => {
		const other = (ports: string, peer: string) =>
			lint([policy("a", rule("Block", { ports: [ports], peers: [peer] }))]);
		expect(other("58", "10.0.0.0/8")).toEqual(["rule-cannot-match spec.ingress[0]"]);
		expect(other("1<8", "2001:db8::/32")).toEqual(["rule-cannot-match spec.ingress[0]"]);
		expect(other("51", "2001:db8::/32")).toEqual(["rule-cannot-match spec.ingress[0]"]);
		expect(other("58", "2001:db8::/32")).toEqual([]);
	});

	test("an Allow of ICMP alone lets nothing of IPv6 in", () => {
		expect(lint([policy("a", rule("Allow", { ports: ["1"] }))])).toContain("ipv4-only-allow spec.ingress[0]");
	});

	test("rules that cannot match", () => {
		const swallowed = rule("Block", { peers: ["10.0.0.0/8 except 10.0.0.0/9 10.128.0.0/9"] });
		expect(lint([policy("a", swallowed, rule("Block", { interfaces: ["lo"] }))])).toEqual([
			"rule-cannot-match spec.ingress[0]",
			"rule-cannot-match spec.ingress[1]",
		]);
	});

	test("an IPv4-only Allow under the block posture", () => {
		const allow = rule("Allow", { peers: ["10.0.0.0/8"] });
		expect(lint([policy("a", allow)])).toEqual([
			"ipv4-only-allow spec.ingress[0]",
			"allowlist-ingress spec.ingress[0]",
		]);
		expect(lint([policy("a", allow, rule("Allow", { peers: ["2001:db8::/32"] }))])).toEqual([
			"allowlist-ingress spec.ingress[0]",
		]);
		const audit = compileNetwork([policy("a", allow)], { ...options, posture: "audit" });
		expect(audit.diagnostics).toEqual([]);
	});

	test("a Block that a failsafe rule makes ineffective, as a whole or in part", () => {
		const ssh = { protocol: "tcp", cidr: null, port: { first: 22, last: 22 }, interface: null } as const;
		const failsafe = { ingress: [ssh], egress: [] };
		const found = (...ports: string[]) =>
			compileNetwork([policy("a", rule("Block", { ports }))], { ...options, failsafe }).diagnostics;
		expect(found("tcp/22")).toMatchObject([{ code: "failsafe-overrules", path: "spec.ingress[0]" }]);
		expect(found("tcp/22")[0]?.message).toContain("failsafe.ingress[0] of the settings accepts everything");
		expect(found("tcp/22", "tcp/80")[0]?.message).toContain("accepts a part");
		expect(found("tcp/22-23")).toEqual([]);
		expect(found("udp/22")).toEqual([]);
		expect(found("tcp")).toEqual([]);
		const echo = { protocol: 1, icmpType: 8, cidr: null, port: null, interface: null } as const;
		const ping = (...ports: string[]) =>
			compileNetwork([policy("a", rule("Block", { ports }))], {
				...options,
				failsafe: { ingress: [echo], egress: [] },
			}).diagnostics.map(({ code }) => code);
		expect(ping("1<8")).toEqual(["failsafe-overrules"]);
		expect(ping("1<13")).toEqual([]);
		expect(ping("1")).toEqual([]);
		const office = { ...ssh, cidr: cidr("10.0.0.0/8"), interface: { name: "eth", prefix: true } };
		const inside = (peer: string, name: string) =>
			compileNetwork([policy("a", rule("Block", { peers: [peer], ports: ["tcp/22"], interfaces: [name] }))], {
				...options,
				failsafe: { ingress: [office], egress: [] },
			}).diagnostics.map(({ code }) => code);
		expect(inside("10.1.0.0/16", "eth0")).toEqual(["failsafe-overrules"]);
		expect(inside("0.0.0.0/0", "eth0")).toEqual(["ipv4-only-block"]);
		expect(inside("2001:db8::/32", "eth0")).toEqual([]);
		expect(inside("10.1.0.0/16", "wlan0")).toEqual([]);
	});

	test("a rule called shadowed never decides a random packet", () => {
		fc.assert(
			fc.property(policySets, fc.array(packets, { minLength: 30, maxLength: 60 }), (policies, sample) => {
				const result = compileNetwork(policies, options);
				if (!result.ok) throw new Error(result.diagnostics[0]?.message);
				const located = policies.map((item, line) => ({
					...item,
					ingress: item.ingress.map((entry) => ({ ...entry, place: { ...entry.place, line: line + 1 } })),
				}));
				const again = compileNetwork(located, options);
				const dead = again.diagnostics.filter(
					({ code }) => code === "rule-shadowed" || code === "rule-cannot-match",
				);
				for (const packet of sample) {
					const { policy: name, index } = judge(policies, options, packet);
					const line = policies.findIndex((item) => item.name === name) + 1;
					const path = `spec.${packet.direction}[${index}]`;
					if (packet.direction === "egress") continue;
					expect(dead.some((item) => item.path === path && item.line === line)).toBe(false);
				}
			}),
			{ numRuns: 300 },
		);
	});
});
