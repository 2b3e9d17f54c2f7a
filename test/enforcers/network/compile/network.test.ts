import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { planText } from "../../../../src/enforcers/network/apply/table-objects.ts";
import { type CompileOptions, compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { decidePacket } from "../../../../src/enforcers/network/compile/program.ts";
import type { NetworkPolicy, NetworkRule } from "../../../../src/enforcers/network/model.ts";
import { cidr, policy, rule } from "./build.ts";
import { options } from "./options.ts";
import { type ParsedTable, parseTable, simulate } from "./simulate.ts";

// Many random cases: on a busy machine they take longer than the usual 5 s.
setDefaultTimeout(180_000);

function compiled(policies: readonly NetworkPolicy[], changes: Partial<CompileOptions> = {}) {
	const result = compileNetwork(policies, { ...options, ...changes });
	if (!result.ok) throw new Error(result.diagnostics[0]?.message);
	return result;
}

describe("precedence", () => {
	test("four atoms for which no order of rules would do", () => {
		const policies = [
			policy("a", rule("Allow", { peers: ["10.0.0.0/24"], ports: ["tcp/20-30"] })),
			policy("b", rule("Block", { peers: ["10.0.0.0/16"], ports: ["tcp/20-30"] })),
			policy("c", rule("Allow", { peers: ["10.0.0.0/17"], ports: ["tcp/25-28"] })),
			policy("d", rule("Block", { peers: ["10.0.0.0/17"], ports: ["tcp/25-40"] })),
		];
		const verdict = (address: string, port: number) =>
			decidePacket(compiled(policies).model, {
				direction: "ingress",
				family: 4,
				address: cidr(address).base,
				interface: "eth0",
				protocol: "tcp",
				port,
				source: null,
			}).rule?.policy;
		expect(verdict("10.0.0.1", 22)).toBe("a");
		expect(verdict("10.0.0.1", 26)).toBe("a");
		expect(verdict("10.0.0.1", 29)).toBe("d");
		expect(verdict("10.0.1.1", 22)).toBe("b");
		expect(verdict("10.0.1.1", 26)).toBe("c");
		expect(verdict("10.0.1.1", 35)).toBe("d");
		expect(verdict("10.0.200.1", 26)).toBe("b");
	});
});

describe("size", () => {
	const ports = Array.from({ length: 200 }, (_, i) => `tcp/${1000 + i * 2}`);
	const block = (i: number) => `${20 + (i >> 14)}.${(i >> 6) & 255}.${(i & 63) * 4}.0/24`;
	const blocks = Array.from({ length: 100_000 }, (_, i) => block(i));
	const perPort = (make: (port: string, i: number) => NetworkRule) => policy("ports", ...ports.map(make));
	const limits: Record<string, [NetworkPolicy[], number]> = {
		"100 000 blocked CIDRs beside 200 allowed ports": [
			[policy("list", rule("Block", { peers: blocks })), perPort((port) => rule("Allow", { ports: [port] }))],
			100_000 + 2 * 200,
		],
		"Allow any, 100 000 Blocks, and Audits of ports scattered in them": [
			[
				policy("any", rule("Allow")),
				policy("list", rule("Block", { peers: blocks })),
				perPort((port, i) =>
					rule("Audit", { peers: [block(i * 500).replace(".0/24", ".7/32")], ports: [port] }),
				),
			],
			100_000 + 2 * 200 + 2,
		],
		"Block any, 100 000 narrower Blocks, and Allows of ports on a network around them": [
			[
				policy("any", rule("Block")),
				policy("list", rule("Block", { peers: blocks })),
				perPort((port) => rule("Allow", { peers: ["16.0.0.0/4"], ports: [port] })),
			],
			2 * 100_201,
		],
		"100 000 Blocks on every interface beside rules of three interfaces": [
			[
				policy("list", rule("Block", { peers: blocks })),
				...["eth0", "eth1", "wlan*"].map((name, i) =>
					policy(name, rule("Allow", { interfaces: [name], ports: ["tcp/22"], peers: [block(i * 7)] })),
				),
			],
			100_000 + 20,
		],
	};
	for (const [name, [policies, limit]] of Object.entries(limits)) {
		for (const form of ["concatenated", "nested"] as const) {
			test(`${name} (${form})`, () => {
				const { plan } = compiled(policies, { maxElements: 10_000_000, form });
				expect(plan.elements).toBeLessThanOrEqual(limit + (form === "nested" ? 600 : 0));
				expect(plan.elements).toBeGreaterThanOrEqual(100_000);
			});
		}
	}

	test("a set that needs too many elements is refused, naming the costliest policy first", () => {
		const policies = [policy("small", rule("Allow")), policy("big", rule("Block", { peers: blocks }))];
		const result = compileNetwork(policies, { ...options, maxElements: 1000 });
		expect(result.ok).toBe(false);
		expect(result.diagnostics[0]).toMatchObject({ code: "too-many-elements", severity: "error" });
		expect(result.diagnostics[0]?.message).toContain('policy "big" needs 100000 of them');
	});

	test("a list that both directions name lies in the kernel once, and is counted once", () => {
		const both = { ...policy("both", rule("Block", { peers: blocks })) };
		both.egress = both.ingress;
		const { elements } = compiled([both]).plan;
		expect(elements).toBe(100_000);
		const result = compileNetwork([both], { ...options, maxElements: 1000 });
		expect(result.diagnostics[0]?.message).toContain("need 100000 kernel elements");
		expect(result.diagnostics[0]?.message).toContain('policy "both" needs 100000 of them');
	});
});

describe("names", () => {
	const names = (policies: NetworkPolicy[], changes: Partial<CompileOptions> = {}) =>
		new Set(compiled(policies, changes).plan.objects.map((object) => object.name));
	const web = policy("web", rule("Allow", { ports: ["tcp/80"] }));
	const list = (...peers: string[]) => policy("list", rule("Block", { peers }));

	test("an edit of one policy leaves the objects of others as they are", () => {
		const before = names([web, list("192.0.2.0/24")]);
		const after = names([web, list("192.0.2.0/25")]);
		const fresh = [...after].filter((name) => !before.has(name) && !/^[cl]_/.test(name));
		expect(fresh.length).toBeLessThanOrEqual(5);
		expect([...before].filter((name) => after.has(name)).length).toBeGreaterThan(10);
	});

	test("a new epoch renames everything but counters and what was seen", () => {
		const old = names([web]);
		const kept = [...names([web], { epoch: "e2" })].filter((name) => old.has(name));
		expect(
			kept.every((name) =>
				/^([cl]_[0-9a-f]{16}|(invalid|cut|unseen)_(ingress|egress)|midstream_egress|seen_\w+)$/.test(name),
			),
		).toBe(true);
		expect(kept).toHaveLength([...old].filter((name) => !/^[smx]_/.test(name)).length);
	});

	test("a new message keeps a rule's counter", () => {
		const renamed = {
			...web,
			ingress: web.ingress.map((item) => ({ ...item, message: "new", severity: 9 })),
		};
		expect(names([renamed])).toEqual(names([web]));
		expect(compiled([renamed]).plan.rules[0]).toMatchObject({ message: "new", severity: 9 });
	});

	test("two policies of one name are refused", () => {
		expect(compileNetwork([web, web], options)).toMatchObject({
			ok: false,
			diagnostics: [{ code: "duplicate-name" }],
		});
	});
});

describe("hostile strings", () => {
	test("no text of a policy gets into the ruleset but as a plain name in a comment", () => {
		const nasty = fc.oneof(
			fc.string({ unit: "binary", maxLength: 300 }),
			fc.constantFrom(
				'"; flush ruleset; #',
				"a\nadd table inet x",
				"} }",
				'x" accept comment "',
				"$(id)",
				"\\",
			),
		);
		const blocks = ({ chains, elements, counters }: ParsedTable) =>
			chains.size + elements.size + counters.size;
		const empty = compiled([]).plan;
		const stable = blocks(parseTable(planText(empty, "t"))) - empty.objects.length;
		fc.assert(
			fc.property(nasty, nasty, nasty, (name, message, tag) => {
				const base = rule("Block", { ports: ["tcp/22"] });
				const { plan } = compiled([policy(name, { ...base, message, tags: [tag] }, rule("Allow"))]);
				const table = parseTable(planText(plan, "t"));
				expect(blocks(table) - plan.objects.length).toBe(stable);
				for (const root of Object.values(plan.roots)) expect(table.chains.has(root)).toBe(true);
				const packet = {
					direction: "ingress",
					family: 4,
					address: 1n,
					interface: "x",
					protocol: "tcp",
					source: null,
				} as const;
				expect(simulate(table, { ...packet, port: 22 }).verdict).toBe("drop");
				expect(simulate(table, { ...packet, port: 23 }).verdict).toBe("accept");
			}),
			{ numRuns: 300 },
		);
	});

	test("an interface name that nftables could misread is refused", () => {
		for (const name of ['e"', "e\\", "e*", "a b", "", "eth0\n", "interfacename016", "é"]) {
			const bad = { ...rule("Block"), interfaces: [{ name, prefix: false }] };
			expect(compileNetwork([policy("a", bad)], options)).toMatchObject({
				ok: false,
				diagnostics: [{ code: "bad-interface", path: "spec.ingress[0].iface[0]" }],
			});
		}
	});
});
