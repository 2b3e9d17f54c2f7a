/** Calico's documented policies and others, and what they mean for hosts. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseSelector } from "../../src/convert/calico/selector.ts";
import { convertAll, formats } from "../../src/convert/formats.ts";
import { convertTexts, differences } from "./support/host.ts";

const head = "apiVersion: projectcalico.org/v3\n";
const from = "192.0.2.1";

const policy = (name: string, spec: object, kind = "GlobalNetworkPolicy") =>
	`${JSON.stringify({ apiVersion: "projectcalico.org/v3", kind, metadata: { name }, spec })}\n`;
const endpoint = (name: string, spec: object, labels: object = {}) =>
	`${JSON.stringify({ apiVersion: "projectcalico.org/v3", kind: "HostEndpoint", metadata: { name, labels }, spec })}\n`;
const documents = (...all: readonly string[]) => all.join("---\n");

describe("policies of one selector", () => {
	// From the reference of GlobalNetworkPolicy, with addresses for the selectors of workloads.
	const database = `${head}kind: GlobalNetworkPolicy
metadata: { name: allow-tcp-6379 }
spec:
  selector: role == 'database'
  types: [Ingress, Egress]
  ingress:
  - action: Allow
    metadata: { annotations: { from: frontend } }
    protocol: TCP
    source: { nets: [10.0.1.0/24, "2001:db8::/32"], notNets: [10.0.1.66/32, "2001:db8::66/128"] }
    destination: { ports: [6379, "7000:7010"] }
  egress:
  - action: Allow
`;
	const host = convertTexts([database], { role: "database" });

	test.each([
		["Allow", { address: "10.0.1.5", port: 6379 }],
		["Block", { address: "10.0.1.66", port: 6379 }],
		["Allow", { address: "10.0.1.5", port: 7005 }],
		["Allow", { address: "2001:db8::1", port: 6379 }],
		["Block", { address: "10.0.1.5", port: 6380 }],
		["Block", { address: "10.0.1.5", port: 6379, protocol: "udp" }],
		["Block", { address: "10.0.2.5", port: 6379 }],
		["Allow", { address: from, port: 25, direction: "egress" }],
	] as const)("%s %j", (expected, asked) => {
		expect(host.verdict(asked)).toBe(expected);
	});

	test("agrees with the source, and leaves other hosts alone", () => {
		expect(differences(host)).toEqual([]);
		expect(host.findings.filter(({ kind }) => kind === "lost")).toEqual([]);
		expect(convertTexts([database]).verdict({ address: from, port: 1 })).toBe("Allow");
	});

	test("order comes before the name, and a policy without order last", () => {
		const allow = { action: "Allow", protocol: "TCP", destination: { ports: [22] } };
		const net = { nets: ["10.0.0.0/8"] };
		const both = convertTexts([
			documents(
				policy("a-last", { ingress: [{ action: "Allow", source: net }] }),
				policy("b", { order: 20, ingress: [allow] }),
				policy("c", { order: 10, ingress: [{ action: "Deny", source: { nets: ["10.1.0.0/16"] } }] }),
			),
		]);
		const ssh = ["10.1.0.1", "10.2.0.1", from].map((address) => both.verdict({ address, port: 22 }));
		expect(ssh).toEqual(["Block", "Allow", "Allow"]);
		expect(both.verdict({ address: "10.2.0.1", port: 80 })).toBe("Allow");
		expect(both.verdict({ address: from, port: 80 })).toBe("Block");
		expect(both.verdict({ address: from, port: 80, direction: "egress" })).toBe("Allow");
		expect(differences(both)).toEqual([]);
	});

	test("types, versions, protocols, ICMP and negations", () => {
		const host = convertTexts([
			policy("p", {
				types: ["Ingress"],
				ingress: [
					{ action: "Allow", protocol: "ICMP", icmp: { type: 8 } },
					{ action: "Allow", ipVersion: 6, protocol: "ICMPv6" },
					{ action: "Deny", notProtocol: "TCP" },
					{ action: "Deny", protocol: "TCP", destination: { notPorts: [22, "80:90"] } },
					{ action: "Deny", protocol: "TCP", source: { ports: [53] } },
					{ action: "Allow" },
				],
			}),
		]);
		expect(host.verdict({ address: from, protocol: 1, source: 8 })).toBe("Allow");
		expect(host.verdict({ address: from, protocol: 1, source: 13 })).toBe("Block");
		expect(host.verdict({ address: "2001:db8::1", protocol: 58, source: 13 })).toBe("Allow");
		expect(host.verdict({ address: from, port: 22, protocol: "udp" })).toBe("Block");
		expect([22, 85, 91].map((port) => host.verdict({ address: from, port }))).toEqual([
			"Allow",
			"Allow",
			"Block",
		]);
		expect(host.verdict({ address: from, port: 22, source: 53 })).toBe("Block");
		expect(differences(host)).toEqual([]);
	});
});

test("a list without elements asks for nothing, and addresses of one family for that family", () => {
	const source = { nets: [], notNets: ["10.0.0.0/8"] };
	const host = convertTexts([
		policy("p", { ingress: [{ action: "Allow", protocol: "TCP", source, destination: { ports: [] } }] }),
	]);
	const verdicts = [from, "10.0.0.1", "2001:db8::1"].map((address) => host.verdict({ address, port: 9 }));
	expect(verdicts).toEqual(["Allow", "Block", "Block"]);
	expect(differences(host)).toEqual([]);
});

describe("host endpoints", () => {
	const text = documents(
		endpoint(
			"all",
			{ node: "h1", interfaceName: "*", profiles: ["projectcalico-default-allow"] },
			{ role: "web" },
		),
		endpoint("outside", { node: "h1", interfaceName: "eth1" }, { role: "edge" }),
		endpoint("other", { node: "h2", interfaceName: "eth0" }, { role: "edge" }),
		policy("ssh", {
			selector: "has(role)",
			order: 1,
			ingress: [{ action: "Allow", protocol: "TCP", destination: { ports: [22] } }],
		}),
		policy("edge", {
			selector: "role == 'edge'",
			order: 2,
			ingress: [{ action: "Allow", source: { nets: ["10.0.0.0/8"] } }],
		}),
	);
	const host = convertTexts([text]);
	const verdict = (
		address: string,
		port: number,
		link: string,
		direction: "ingress" | "egress" = "ingress",
	) => host.verdict({ address, port, interface: link, direction });

	test("each interface has the policies that select its endpoint", () => {
		expect([verdict(from, 22, "eth0"), verdict(from, 22, "eth1")]).toEqual(["Allow", "Allow"]);
		expect([verdict("10.0.0.1", 80, "eth0"), verdict("10.0.0.1", 80, "eth1")]).toEqual(["Block", "Allow"]);
	});

	test("without a policy in a direction its profile decides, or it is denied", () => {
		expect([verdict(from, 80, "eth0", "egress"), verdict(from, 80, "eth1", "egress")]).toEqual([
			"Allow",
			"Block",
		]);
	});

	test("each node has a policy of its own, and they agree with the source", () => {
		expect(host.conversions).toHaveLength(2);
		expect(differences(host)).toEqual([]);
		expect(host.findings.filter(({ kind }) => kind === "lost")).toEqual([]);
		const second = convertTexts([text], { "kubernetes.io/hostname": "h2" });
		expect(second.verdict({ address: from, port: 22, interface: "eth1" })).toBe("Allow");
		expect(second.verdict({ address: from, port: 23, interface: "eth0" })).toBe("Block");
	});
});

describe("what has no counterpart is left out and told", () => {
	test.each([
		[{ action: "Pass" }, "Pass"],
		[{ action: "Allow", source: { selector: "role == 'x'" } }, "source.selector"],
		[{ action: "Allow", http: { methods: ["GET"] } }, "http"],
		[{ action: "Allow", destination: { nets: ["10.0.0.1/32"] } }, "destination.nets"],
		[{ action: "Allow", protocol: "TCP", destination: { ports: ["web"] } }, "destination.ports"],
		[{ action: "Allow", destination: { ports: [80] } }, "destination.ports"],
		[{ action: "Allow", protocol: "ICMP", icmp: { type: 3, code: 1 } }, "icmp"],
		[{ action: "Allow", protocol: "nonsense" }, "protocol nonsense"],
		[{ action: "Allow", source: { nets: ["nonsense"] } }, "source.nets"],
	])("%j", (rule, what) => {
		const host = convertTexts([policy("p", { ingress: [rule] })]);
		const lost = host.findings.filter(({ kind }) => kind === "lost");
		expect(lost.map(({ message }) => message)).toEqual([expect.stringContaining(what)]);
		expect(host.verdict({ address: from, port: 80 })).toBe("Block");
	});

	test.each([
		[{ selector: "role starts with 'x'" }, "selector"],
		[{ selector: "role == 'a' || role == 'b'" }, "equal labels alone"],
		[{ preDNAT: true }, "preDNAT"],
		[{ tier: "security" }, "tier"],
		[{ namespaceSelector: "all()" }, "namespaces"],
	])("a policy with %j", (spec, what) => {
		const host = convertTexts([policy("p", { ...spec, ingress: [{ action: "Deny" }] })]);
		expect(host.findings.map(({ kind, message }) => `${kind} ${message}`)).toContainEqual(
			expect.stringMatching(new RegExp(`^lost .*${what}`, "u")),
		);
		expect(host.verdict({ address: from, port: 80 })).toBe("Allow");
	});

	test("several selectors without endpoints, and policies of namespaces", () => {
		const one = policy("a", { selector: "role == 'a'", ingress: [{ action: "Log" }] }, "NetworkPolicy");
		const host = convertTexts([
			documents(one, policy("b", { ingress: [{ action: "Allow" }], applyOnForward: true })),
		]);
		expect(host.findings.filter(({ kind }) => kind === "lost")).toHaveLength(2);
		const withEndpoint = convertTexts([
			documents(one, endpoint("e", { node: "h1", interfaceName: "*" }, { role: "a" })),
		]);
		expect(withEndpoint.findings.map(({ message }) => message)).toContainEqual(
			expect.stringContaining("of a namespace"),
		);
	});
});

test("selectors", () => {
	const web = { role: "web", "k/x": "1" };
	const on = (text: string) => parseSelector(text)?.matches(web);
	expect(on("")).toBe(true);
	expect(on("all() && global()")).toBe(true);
	expect(on("role == 'web' && !has(none)")).toBe(true);
	expect(on('role != "web" || k/x in {"0", "1"}')).toBe(true);
	expect(on("role not in {'web'}")).toBe(false);
	expect(on("!(role == 'web')")).toBe(false);
	expect(parseSelector("role == 'web' && k/x == '1'")?.labels).toEqual(web);
	for (const text of [
		"role ==",
		"role == web",
		"(all()",
		"all() all()",
		"has(",
		"role in {",
		"role in {}",
		"&&",
		"'x'",
		"!".repeat(100),
	])
		expect(parseSelector(text)).toBeNull();
});

test("no document makes the reader throw", () => {
	const calico = formats.find(({ name }) => name === "calico");
	const word = fc.constantFrom(
		"action",
		"source",
		"nets",
		"ports",
		"protocol",
		"icmp",
		"type",
		"order",
		"selector",
		"types",
		"ingress",
	);
	const { value } = fc.letrec<{ value: unknown }>((tie) => ({
		value: fc.oneof(
			{ maxDepth: 4 },
			fc.constantFrom<unknown>("Allow", "TCP", 22, null, "10.0.0.0/8", "all()", true, "22:80"),
			fc.array(tie("value"), { maxLength: 3 }),
			fc.dictionary(word, tie("value"), { maxKeys: 3 }),
		),
	}));
	fc.assert(
		fc.property(value, value, fc.constantFrom("GlobalNetworkPolicy", "HostEndpoint"), (spec, rule, kind) => {
			const texts = [policy("p", spec as object, kind), policy("q", { ingress: [rule] })];
			const files = texts.map((text, i) => ({ file: `${i}`, text }));
			expect(calico && convertAll(calico, files)).toMatchObject({ ok: true });
		}),
		{ numRuns: 300 },
	);
});
