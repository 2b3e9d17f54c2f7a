/** Kubernetes' own examples, and what they mean for a host: outcomes, not text. */

import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../src/base/cidr.ts";
import type { Direction, Protocol } from "../../src/base/model.ts";
import { convertKubernetes, isKubernetesPolicy } from "../../src/convert/kubernetes.ts";
import { policyText } from "../../src/convert/text.ts";
import { matchSelector } from "../../src/document/labels.ts";
import { isBroken } from "../../src/document/parse.ts";
import { Lines, parseSyntax, splitDocuments } from "../../src/document/syntax.ts";
import { buildModel, decidePacket, ruleSets } from "../../src/enforcers/network/compile/program.ts";
import type { NetworkPolicy } from "../../src/enforcers/network/model.ts";
import { networkPart } from "../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";

function convert(text: string) {
	const sources = splitDocuments(text).flatMap((chunk) => {
		const { contents } = parseSyntax(chunk.source);
		const lines = new Lines(chunk);
		if (contents === null) return [];
		return {
			root: contents,
			place: (node: { range?: readonly number[] | null } | null) => ({
				file: "k.yaml",
				...lines.locate(node?.range?.[0] ?? 0),
			}),
		};
	});
	expect(sources.every(isKubernetesPolicy)).toBe(true);
	return convertKubernetes(sources);
}

/** What hosts with these labels do, by the text that was written. */
function host(text: string, labels: Record<string, string> = {}) {
	const { policies, findings } = convert(text);
	const written = policies.map(policyText).join("---\n");
	const documents = written === "" ? [] : parsePolicyFile("converted.yaml", written).documents;
	const all = { "kubernetes.io/hostname": "h1", ...labels };
	const selected = documents.flatMap((document) => {
		expect(isBroken(document)).toBe(false);
		const { policy } = document;
		return policy !== null && matchSelector(policy.nodeSelector, all).selected
			? networkPart.of([policy])
			: [];
	});
	const model = modelOf(selected);
	return {
		findings,
		names: policies.map(({ document }) => document.metadata.name),
		verdict(direction: Direction, protocol: Protocol, address: string, port: number) {
			const remote = parseAddress(address);
			if ("message" in remote) throw new Error(remote.message);
			const packet = {
				direction,
				protocol,
				family: remote.family,
				address: remote.value,
				port,
				source: null,
				interface: "eth0",
			};
			return decidePacket(model, packet).action;
		},
	};
}

const modelOf = (policies: readonly NetworkPolicy[]) =>
	buildModel(ruleSets(policies), {
		posture: "block",
		allowlistScope: "direction",
		failsafe: { ingress: [], egress: [] },
	});

const networkPolicy = (name: string, spec: object) =>
	`${JSON.stringify({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name }, spec })}\n`;

const everything = { podSelector: {} };

describe("the documented examples", () => {
	const documented = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: test-network-policy, namespace: default }
spec:
  podSelector: { matchLabels: { role: db } }
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - ipBlock: { cidr: 172.17.0.0/16, except: [172.17.1.0/24] }
    - namespaceSelector: { matchLabels: { project: myproject } }
    - podSelector: { matchLabels: { role: frontend } }
    ports: [{ protocol: TCP, port: 6379 }]
  egress:
  - to: [{ ipBlock: { cidr: 10.0.0.0/24 } }]
    ports: [{ protocol: TCP, port: 5978 }]
`;

	test("blocks with holes, ports, both directions; selectors of pods are told", () => {
		const { verdict, findings } = host(documented, { role: "db" });
		expect(verdict("ingress", "tcp", "172.17.0.9", 6379)).toBe("Allow");
		expect(verdict("ingress", "tcp", "172.17.1.9", 6379)).toBe("Block");
		expect(verdict("ingress", "tcp", "172.17.0.9", 6380)).toBe("Block");
		expect(verdict("ingress", "tcp", "192.0.2.1", 6379)).toBe("Block");
		expect(verdict("egress", "tcp", "10.0.0.7", 5978)).toBe("Allow");
		expect(verdict("egress", "udp", "10.0.0.7", 5978)).toBe("Block");
		expect(findings.filter(({ kind }) => kind === "lost").map(({ line }) => line)).toEqual([11, 12]);
		const other = host(documented, { role: "web" });
		expect(other.verdict("ingress", "tcp", "192.0.2.1", 6379)).toBe("Allow");
	});

	test.each([
		["deny all ingress", { ...everything, policyTypes: ["Ingress"] }, "Block", "Allow"],
		["allow all ingress", { ...everything, ingress: [{}], policyTypes: ["Ingress"] }, "Allow", "Allow"],
		["deny all egress", { ...everything, policyTypes: ["Egress"] }, "Allow", "Block"],
		["allow all egress", { ...everything, egress: [{}], policyTypes: ["Egress"] }, "Allow", "Allow"],
		["deny all", { ...everything, policyTypes: ["Ingress", "Egress"] }, "Block", "Block"],
		["without policyTypes", { ...everything }, "Block", "Allow"],
		["without policyTypes, with egress", { ...everything, egress: [{}] }, "Block", "Allow"],
	] as const)("%s", (_name, spec, ingress, egress) => {
		const { verdict } = host(networkPolicy("p", spec));
		expect([verdict("ingress", "tcp", "192.0.2.1", 22), verdict("egress", "udp", "2001:db8::1", 53)]).toEqual(
			[ingress, egress],
		);
	});

	test("a range of ports", () => {
		const ports = [{ protocol: "TCP", port: 32000, endPort: 32768 }];
		const { verdict } = host(networkPolicy("p", { ...everything, ingress: [{ ports }] }));
		expect([31999, 32000, 32768, 32769].map((port) => verdict("ingress", "tcp", "192.0.2.1", port))).toEqual([
			"Block",
			"Allow",
			"Allow",
			"Block",
		]);
	});
});

/** The ipBlock part of test/e2e/network/netpol, as rows of what each address meets. */
describe("conformance: blocks and their exceptions", () => {
	const block = (cidr: string, ...except: readonly string[]) => ({
		ipBlock: { cidr, ...(except.length > 0 ? { except } : {}) },
	});
	const egress = (...rules: readonly object[]) =>
		networkPolicy("p", { ...everything, policyTypes: ["Egress"], egress: rules });
	const addresses = ["10.1.0.7", "10.1.0.8", "10.1.1.7", "2001:db8::7"];

	test.each([
		["access to a block", [egress({ to: [block("10.1.0.7/32")] })], "A...", true],
		["the except clause", [egress({ to: [block("10.1.0.0/24", "10.1.0.7/32")] })], ".A..", true],
		[
			"an address in a block's exception and in another block is allowed",
			[egress({ to: [block("10.1.0.0/24", "10.1.0.7/32")] }, { to: [block("10.1.0.7/32")] })],
			"AA..",
			true,
		],
		[
			"the same from two policies",
			[
				egress({ to: [block("10.1.0.0/24", "10.1.0.7/32")] }),
				networkPolicy("q", {
					...everything,
					policyTypes: ["Egress"],
					egress: [{ to: [block("10.1.0.7/32")] }],
				}),
			],
			"AA..",
			true,
		],
		["IPv6 beside IPv4", [egress({ to: [block("10.1.1.0/24"), block("2001:db8::/64")] })], "..AA", true],
		["ports narrow a block", [egress({ to: [block("10.1.0.0/16")], ports: [{ port: 81 }] })], "....", false],
		[
			"every port of a protocol",
			[egress({ to: [block("10.1.0.0/16")], ports: [{ protocol: "TCP" }] })],
			"AAA.",
			false,
		],
	] as const)("%s", (_name, texts, row, udp) => {
		const { verdict, findings } = host(texts.join("---\n"));
		const meets = (protocol: Protocol) =>
			addresses.map((address) => (verdict("egress", protocol, address, 80) === "Allow" ? "A" : ".")).join("");
		expect(findings).toEqual([]);
		expect([meets("tcp"), meets("udp")]).toEqual([row, udp ? row : "...."]);
		expect(verdict("ingress", "tcp", "10.1.0.7", 80)).toBe("Allow");
	});
});

describe("several policies are taken together", () => {
	const allow = networkPolicy("allow", {
		...everything,
		ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }],
	});
	const deny = networkPolicy("deny", { ...everything, policyTypes: ["Ingress"] });

	test("what one allows passes, though another isolates", () => {
		for (const text of [`${allow}---\n${deny}`, `${deny}---\n${allow}`]) {
			const { verdict } = host(text);
			expect(verdict("ingress", "tcp", "10.1.1.1", 80)).toBe("Allow");
			expect(verdict("ingress", "tcp", "192.0.2.1", 80)).toBe("Block");
		}
	});

	test("an Allow of everything beside a deny for other hosts is told, as the Block would win", () => {
		const open = networkPolicy("open", { podSelector: { matchLabels: { a: "b" } }, ingress: [{}] });
		expect(host(`${deny}---\n${open}`).findings.map(({ message }) => message)).toContainEqual(
			expect.stringContaining("its Block wins over this Allow of everything"),
		);
	});

	test("equal names are told apart", () => {
		expect(host(`${allow}---\n${networkPolicy("allow", { ...everything, egress: [{}] })}`).names).toEqual([
			"allow",
			"allow-2",
		]);
	});
});

describe("what has no counterpart never allows more", () => {
	const lost = (spec: object) => {
		const { verdict, findings } = host(networkPolicy("p", { ...everything, ...spec }));
		expect(findings.some(({ kind }) => kind === "lost")).toBe(true);
		return verdict("ingress", "tcp", "192.0.2.1", 80);
	};

	test("a rule whose peers are all selectors is left out, not opened", () => {
		expect(lost({ ingress: [{ from: [{ podSelector: {} }] }] })).toBe("Block");
		expect(lost({ ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 80 }] }] })).toBe("Block");
	});

	test("so is one whose ports have names of pods alone", () => {
		expect(lost({ ingress: [{ ports: [{ port: "http-alt" }] }] })).toBe("Block");
	});

	test("rules of a direction that is not in policyTypes, and expressions, are told", () => {
		expect(lost({ policyTypes: ["Egress"], ingress: [{}], egress: [{}] })).toBe("Allow");
		const text = networkPolicy("p", { podSelector: { matchExpressions: [] }, ingress: [{}] });
		expect(convert(text).findings[0]?.message).toContain("matchExpressions");
		expect(convert(networkPolicy("p", {}).replace('"spec":{}', '"spec":1')).findings[0]?.message).toContain(
			"no spec",
		);
		expect(convert(networkPolicy("No Name", everything)).findings[0]?.message).toContain("called converted");
	});
});

test("text of the source cannot leave its comment", () => {
	const name = 'x"\n- {}\r# y\u2028z';
	const { policies } = convert(
		networkPolicy("p", { ...everything, ingress: [{ ports: [{ port: name }, { port: 80 }] }] }),
	);
	const [first] = policies;
	if (first === undefined) throw new Error("no policy");
	const text = policyText(first);
	const comments = text.split("\n").filter((line) => line.startsWith("#"));
	expect(text.split("\n").indexOf("apiVersion: security.kubearmor.com/v1")).toBe(comments.length);
});
