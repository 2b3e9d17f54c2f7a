/** What rules that name a source port, an ICMP type or a protocol without ports cost packets, and what size they have. */

import { describe, expect, test } from "bun:test";
import { planText } from "../../../../src/enforcers/network/apply/table-objects.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { policy, rule } from "./build.ts";
import { options } from "./options.ts";

function compiled(policies: readonly NetworkPolicy[], form: "concatenated" | "nested" = "concatenated") {
	const result = compileNetwork(policies, { ...options, form });
	if (!result.ok) throw new Error(result.diagnostics[0]?.message);
	return result;
}

/** The lookups of the ruleset, those that essentials make aside. */
function lookups(policies: readonly NetworkPolicy[]): string[] {
	const { plan } = compiled(policies);
	return planText(plan, "t")
		.split("\n")
		.filter((line) => / vmap @m_\w+$| @s_\w+ (return|goto x_\w+)$/.test(line))
		.map((line) => line.trim().replaceAll(/ (@[ms]|x)_\w+/g, ""));
}

const web = policy("web", rule("Allow", { ports: ["tcp/80", "tcp/443"] }));

describe("packets of other protocols are spared the lookup", () => {
	test.each([
		["1", ["meta l4proto 1 ip saddr goto"]],
		["1<8", ["ip saddr . icmp type vmap"]],
		["58<128", ["ip6 saddr . icmpv6 type vmap"]],
		["47", ["meta l4proto 47 ip saddr goto", "meta l4proto 47 ip6 saddr goto"]],
		["udp<1900", ["ip saddr . udp sport vmap", "ip6 saddr . udp sport vmap"]],
		["udp/68<67", ["ip saddr . udp sport . udp dport vmap", "ip6 saddr . udp sport . udp dport vmap"]],
	])("%s adds nothing but %j", (ports, added) => {
		const before = lookups([web]);
		const after = lookups([web, policy("more", rule("Allow", { ports: [ports] }))]);
		expect(after.toSorted()).toEqual([...before, ...added].toSorted());
	});

	test("ports of several actions stay in one lookup beside a type of ICMP", () => {
		const mixed = [
			web,
			policy("telnet", rule("Block", { ports: ["tcp/23"] })),
			policy("ntp", rule("Audit", { ports: ["udp/123"] })),
		];
		const before = lookups(mixed);
		for (const action of ["Allow", "Audit", "Block"] as const) {
			const echo = policy("echo", rule(action, { ports: ["1<8"] }));
			expect(lookups([...mixed, echo]).toSorted()).toEqual(
				["ip saddr . icmp type vmap", ...before].toSorted(),
			);
		}
	});

	test("many protocols without ports share a lookup", () => {
		const found = lookups([policy("many", rule("Block", { ports: ["2", "4", "47", "50", "51"] }))]);
		expect(found).toContain("ip saddr . meta l4proto vmap");
	});
});

describe("size", () => {
	test("a source port beside thousands of ports is one element, and cuts no other to pieces", () => {
		const ports = Array.from({ length: 2000 }, (_, i) => `udp/${1000 + 2 * i}`);
		for (const action of ["Allow", "Audit", "Block"] as const) {
			for (const other of ["Allow", "Audit", "Block"] as const) {
				const many = policy("many", rule(other, { ports, peers: ["0.0.0.0/0"] }));
				const one = policy("one", rule(action, { ports: ["udp<1900"], peers: ["0.0.0.0/0"] }));
				const alone = compiled([many]).plan.elements;
				expect(compiled([many, one]).plan.elements - alone).toBe(1);
			}
		}
	});

	test("exceptions from a range of ports for sources stay few", () => {
		const sources = Array.from({ length: 500 }, (_, i) => `udp/53<${1000 + 2 * i}`);
		const set = [
			policy("closed", rule("Block", { ports: ["udp/1-1000"], peers: ["0.0.0.0/0"] })),
			policy("open", rule("Allow", { ports: sources, peers: ["0.0.0.0/0"] })),
		];
		expect(compiled(set).plan.elements).toBeLessThanOrEqual(2 * 500 + 1);
	});

	test("sets that would not fit in memory are refused at once", () => {
		const ranges = (count: number) =>
			Array.from({ length: count }, (_, i) => `udp/${i + 1}<${i + 1}-${65535 - i}`);
		const start = performance.now();
		const result = compileNetwork([policy("overlapping", rule("Block", { ports: ranges(5000) }))], options);
		expect(result.diagnostics[0]).toMatchObject({ code: "too-many-elements" });
		expect(performance.now() - start).toBeLessThan(10_000);
	});
});
