import { describe, expect, test } from "bun:test";
import type { FailsafeRule } from "../../../../src/base/model.ts";
import { describeFailsafe, planFailsafe } from "../../../../src/enforcers/network/compile/failsafe.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { objectText } from "../../../../src/kernel/nftables/writer.ts";
import { cidr, policy, rule } from "./build.ts";
import { options } from "./options.ts";

const any: FailsafeRule = { protocol: null, cidr: null, port: null, interface: null };

function text(more: Partial<FailsafeRule>, direction: "ingress" | "egress" = "ingress"): string {
	const [planned] = planFailsafe({ ingress: [], egress: [], [direction]: [{ ...any, ...more }] });
	if (planned === undefined) throw new Error("nothing planned");
	return planned.text.replace(` counter name "${planned.counter}" accept`, "");
}

describe("as nftables rules", () => {
	test("every condition, and the side that it is about", () => {
		const full = {
			protocol: "tcp",
			cidr: cidr("10.0.0.0/8"),
			port: { first: 22, last: 23 },
			interface: { name: "eth", prefix: true },
		} as const;
		expect(text(full)).toBe('iifname "eth*" ip saddr 10.0.0.0/8 tcp dport 22-23');
		expect(text(full, "egress")).toBe('oifname "eth*" ip daddr 10.0.0.0/8 tcp dport 22-23');
		expect(text({ cidr: cidr("2001:db8::7") })).toBe("ip6 saddr 2001:db8::7/128");
		expect(text({ protocol: "udp" })).toBe("meta l4proto 17");
	});

	test("a whole family, and a prefix as long as a name can be", () => {
		expect(text({ cidr: cidr("0.0.0.0/0") })).toBe("meta nfproto ipv4");
		expect(text({ cidr: cidr("::/0") })).toBe("meta nfproto ipv6");
		expect(text({ interface: { name: "abcdefghijklmno", prefix: true } })).toBe('iifname "abcdefghijklmno"');
	});

	test("never with a name that nftables could misread", () => {
		for (const name of ['e"', "a b", "e;", "$x", "{", ""]) {
			expect(() => text({ interface: { name, prefix: false } })).toThrow();
		}
	});
});

test("a rule keeps its counter while it stays what and where it is, and another in its place has one of its own", () => {
	const counter = (...rules: FailsafeRule[]) =>
		planFailsafe({ ingress: rules, egress: [] }).map((planned) => planned.counter);
	const ssh = { ...any, protocol: "tcp", port: { first: 22, last: 22 } } as const;
	const dns = { ...any, protocol: "udp", port: { first: 53, last: 53 } } as const;
	expect(counter(ssh, dns)).toEqual(counter({ ...ssh }, { ...dns }));
	expect(counter(ssh)[0]).not.toBe(counter(dns)[0]);
	expect(new Set(counter(ssh, ssh, dns)).size).toBe(3);
});

test("the plan numbers the rules as the settings do, each with a counter", () => {
	const failsafe = {
		ingress: [{ ...any, protocol: "tcp" } as const, { ...any, protocol: "udp" } as const],
		egress: [any],
	};
	const compiled = compileNetwork([policy("a", rule("Block"))], { ...options, failsafe });
	if (!compiled.ok) throw new Error("it does not compile");
	const { plan } = compiled;
	expect(plan.failsafe.map(({ direction, index, counter }) => [direction, index, counter])).toEqual([
		["ingress", 0, expect.stringMatching(/^failsafe_ingress_0_[0-9a-f]{16}$/)],
		["ingress", 1, expect.stringMatching(/^failsafe_ingress_1_[0-9a-f]{16}$/)],
		["egress", 0, expect.stringMatching(/^failsafe_egress_0_[0-9a-f]{16}$/)],
	]);
	const counters = plan.objects.filter(({ kind }) => kind === "counter").map(({ name }) => name);
	for (const { counter } of plan.failsafe) expect(counters).toContain(counter);
	expect(plan.rules.some(({ policy: name }) => name === "Failsafe")).toBe(false);
	expect(structuredClone(plan.failsafe)).toEqual([...plan.failsafe]);
	expect(JSON.parse(JSON.stringify(plan.failsafe))).toEqual(plan.failsafe);
});

test("without failsafe rules no text changes", () => {
	const text = (more: object) => {
		const compiled = compileNetwork([policy("a", rule("Allow", { ports: ["tcp/22"] }))], {
			...options,
			...more,
		});
		return compiled.ok ? compiled.plan.objects.map((object) => objectText(object)).join("") : "";
	};
	expect(text({})).not.toContain("failsafe");
});

test("in words", () => {
	const words = planFailsafe({
		ingress: [{ protocol: "tcp", cidr: cidr("10.0.0.0/8"), port: { first: 22, last: 22 }, interface: null }],
		egress: [{ ...any, cidr: cidr("2001:db8::/32"), interface: { name: "eth", prefix: true } }],
	}).map(describeFailsafe);
	expect(words).toEqual([
		"ingress[0] TCP 22 from 10.0.0.0/8",
		"egress[0] any protocol to 2001:db8::/32 on eth*",
	]);
});
