import { describe, expect, test } from "bun:test";
import { parseSuffix, type Suffix } from "../../../../src/base/suffix.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { decidePacket, guestModel, type Packet } from "../../../../src/enforcers/network/compile/program.ts";
import { guardBoxes, guardRules } from "../../../../src/enforcers/network/compile/render/guard.ts";
import {
	kindKey,
	kindOfAddress,
	mostSuffixKinds,
	suffixKinds,
} from "../../../../src/enforcers/network/compile/suffixes.ts";
import { blockedRegions } from "../../../../src/enforcers/network/compile/verdict/blocked-regions.ts";
import { Exposure } from "../../../../src/enforcers/network/compile/verdict/exposure.ts";
import { searchVerdict } from "../../../../src/enforcers/network/compile/verdict/verdict-search.ts";
import { verdictsByPort } from "../../../../src/enforcers/network/compile/verdict/verdicts-by-port.ts";
import { flowJudge } from "../../../../src/enforcers/network/flows/flow-verdict.ts";
import { FlowJudge } from "../../../../src/enforcers/network/history/flow-judge.ts";
import { type NetworkPolicy, networkPart } from "../../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../../src/engine/parse.ts";
import { policy, port } from "../../../system/support/case.ts";
import { options } from "./options.ts";

function suffix(text: string): Suffix {
	const parsed = parseSuffix(text);
	if (parsed?.ok !== true || !("suffix" in parsed)) throw new Error(`${text} is no suffix`);
	return parsed.suffix;
}

const own = "::1234:5678/::ffff:ffff";
const all = (1n << 128n) - 1n;
const host = (0x20010db8n << 96n) | 0x12345678n;
const other = host + 1n;

const block = (cidr: string, except: readonly string[] = []) => ({
	ipBlock: { cidr, ...(except.length === 0 ? {} : { except }) },
});

function read(name: string, spec: Record<string, unknown>): NetworkPolicy {
	const [found] = parsePolicyFile("a.yaml", policy(name, spec)).documents;
	const [network] = found?.policy ? networkPart.all([found.policy]) : [];
	if (network === undefined) throw new Error(found?.diagnostics.map(({ message }) => message).join());
	return network;
}

function model(policies: readonly NetworkPolicy[], changes: Partial<typeof options> = {}) {
	const compiled = compileNetwork(policies, { ...options, ...changes });
	if (!compiled.ok) throw new Error(compiled.diagnostics[0]?.message);
	return compiled.model;
}

const packet = (address: bigint, direction: Packet["direction"] = "ingress"): Packet => ({
	...{ direction, family: 6, address, interface: "eth0", protocol: "tcp", port: 22, source: null },
});

const blocking = read("b", {
	action: "Block",
	ingress: [{ from: [block(own)] }],
	egress: [{ to: [block(own)] }],
});

describe("kinds of addresses", () => {
	const [a, b, c] = [suffix("::1/::f"), suffix("::21/::ff"), suffix("::100/::f00")];

	test("are what an address may match, larger ones first", () => {
		const kinds = suffixKinds([a, b, c], 10) ?? [];
		expect(kinds.map(kindKey).sort()).toEqual([[a, b, c], [a, b], [a, c], [a], [c]].map(kindKey).sort());
		expect(kinds.map(({ length }) => length)).toEqual([3, 2, 2, 1, 1]);
		expect(kindOfAddress([a, b, c], 0x121n)).toEqual([a, b, c]);
		expect(kindOfAddress([a, b, c], 0x2n)).toEqual([]);
	});

	test("of ends under one mask are one each", () => {
		const many = Array.from({ length: 200 }, (_, i): Suffix => ({ mask: 0xffffn, value: BigInt(i) }));
		expect(suffixKinds(many, mostSuffixKinds)?.length).toBe(200);
	});

	test("that are too many are refused at the first that rules name", () => {
		const from = Array.from({ length: 9 }, (_, i) =>
			block(`::${(1 << i).toString(16)}/::${(1 << i).toString(16)}`),
		);
		const compiled = compileNetwork([read("many", { action: "Block", ingress: [{ from }] })], options);
		expect(compiled).toMatchObject({ ok: false, diagnostics: [{ code: "too-many-suffixes" }] });
	});

	test("that would need too many blocks, each kind its own, are refused before they are built", () => {
		const ends = read("ends", {
			action: "Allow",
			ingress: [{ from: Array.from({ length: 100 }, (_, i) => block(`::${i}/::ffff`)) }],
		});
		const [rule] = read("list", { action: "Block", ingress: [{ from: [block("2001:db8::/32")] }] }).ingress;
		if (rule === undefined) throw new Error("no rule");
		const peers = Array.from({ length: 900 }, (_, i) => ({
			...{ cidr: { family: 6, base: BigInt(i) << 64n, prefix: 64 } as const, except: [], place: rule.place },
		}));
		const list = { ...ends, name: "list", ingress: [{ ...rule, peers }] };
		const compiled = (maxElements: number) => compileNetwork([ends, list], { ...options, maxElements });
		expect(compiled(10_000)).toMatchObject({ ok: false, diagnostics: [{ code: "too-many-suffixes" }] });
		expect(compiled(20_000).ok).toBe(true);
	});
});

test("a suffix is narrower than a block around it, broader than an address in it, and no narrower than other blocks", () => {
	const rules = (action: string, cidr: string) =>
		read(`${action.toLowerCase()}${cidr.length}`, { action, ingress: [{ from: [block(cidr)] }] });
	const verdict = (...policies: NetworkPolicy[]) => decidePacket(model(policies), packet(host)).action;
	expect(verdict(rules("Block", "::/0"), rules("Audit", own))).toBe("Audit");
	expect(verdict(rules("Block", own), rules("Audit", "2001:db8::1234:5678"))).toBe("Audit");
	expect(verdict(rules("Block", own), rules("Audit", "2001:db8::/32"))).toBe("Block");
	expect(verdict(rules("Audit", own), rules("Block", "2001:db8::/32"))).toBe("Block");
	expect(verdict(rules("Block", own), rules("Audit", "2001:db8::5678/ffff:ffff::ffff"))).toBe("Block");
	expect(verdict(rules("Block", own), rules("Audit", "2001:db8::1234:5678/ffff:ffff::ffff:ffff"))).toBe(
		"Audit",
	);
});

test("what is forwarded, and what this host sends, is judged by it", () => {
	const guests = { forwarded: "enforce", interfaces: [], uplinks: [] } as const;
	const judged = model([blocking], { guests });
	for (const one of [judged, guestModel(judged) ?? judged]) {
		expect(decidePacket(one, packet(host)).action).toBe("Block");
		expect(decidePacket(one, packet(host, "egress")).action).toBe("Block");
		expect(decidePacket(one, packet(other)).action).toBe("Allow");
	}
});

test("an open connection is ended by whose address matches, and on the interface that the rule names", () => {
	const flow = (remote: string) => ({
		...{ direction: "ingress", family: 6, protocol: 6, remote, local: "2001:db8::9", destinationPort: 22 },
		cut: { remotePort: 40000, localPort: 22 },
	});
	type Flow = Parameters<ReturnType<typeof flowJudge>>[0];
	const named = read("n", { action: "Block", ingress: [{ from: [block(own)], iface: ["eth1"] }] });
	const judge = flowJudge(model([named]));
	const asked = flow("2001:db8::1234:5678") as unknown as Flow;
	expect(["eth0", "eth1", "eth2"].map((name) => judge(asked, name))).toEqual(["other", "blocked", "other"]);
	expect(judge(flow("2001:db8::1234:5679") as unknown as Flow, "eth1")).toBe("other");
});

test("a flow that was seen from a whole network may fare either way", () => {
	const judge = new FlowJudge(model([blocking]));
	const seen = { direction: "ingress", protocol: "tcp", port: 22, interface: "eth0" };
	type Seen = Parameters<FlowJudge["judge"]>[0];
	const of = (base: bigint, prefix: number) =>
		judge.judge({ ...seen, remote: { family: 6, base, prefix } } as unknown as Seen);
	expect(of(0x20010db8n << 96n, 64)).toMatchObject({
		passes: { action: "Allow" },
		blocked: { action: "Block" },
	});
	expect(of(host, 128)).toMatchObject({ passes: null, blocked: { action: "Block" } });
	expect(of(other, 128)).toMatchObject({ passes: { action: "Allow" }, blocked: null });
});

test("a search finds the addresses that match, and none beside them", () => {
	const whole = { 4: [{ first: 0n, last: 0xffffffffn }], 6: [{ first: 0n, last: all }] };
	const ask = (addresses: typeof whole, action: "Block" | "Allow") =>
		searchVerdict(model([blocking]), {
			...{ direction: "ingress", protocol: "tcp", ports: null, addresses, interface: null, action },
		});
	expect(ask(whole, "Block")).toMatchObject({ family: 6, address: 0x12345678n });
	expect(ask({ 4: [], 6: [{ first: host + 1n, last: host + 1000n }] }, "Block")).toBeNull();
	expect(ask({ 4: [], 6: [{ first: host, last: host }] }, "Allow")).toBeNull();
	expect(ask({ 4: [], 6: [{ first: host, last: other }] }, "Allow")).toMatchObject({ address: other });
});

test("what is told of one address, of a port's reach and of regions takes it into account", () => {
	const asked = model([blocking]);
	const remote = (value: bigint) =>
		verdictsByPort(asked, { family: 6, value }, "eth0").filter((one) => one.direction === "ingress");
	expect([remote(host), remote(other)].map((told) => told.map(({ action }) => action))).toEqual([
		["Block"],
		["Allow"],
	]);
	const ssh = { protocol: "tcp", family: 6, port: 22 } as const;
	expect(new Exposure(asked, [ssh]).regions("eth0", ssh)).toEqual([{ first: 0n, last: all }]);
	const allowed = model([
		read("a", { action: "Allow", ingress: [{ from: [block(own)], ports: [port("TCP", 22)] }] }),
	]);
	expect(new Exposure(allowed, [ssh]).regions("eth0", ssh)).toEqual([{ first: 0n, last: all }]);
	const kind = { direction: "ingress", family: 6, protocol: "tcp", port: 22, interface: "eth0" } as const;
	expect(blockedRegions(asked, kind, () => true, 100)).toEqual([]);
});

test("the stand-in for Blocks drops what matches, and no more", () => {
	expect(guardRules(guardBoxes(model([blocking]).ingress), "ingress")).toEqual([
		"meta nfproto ipv6 ip6 saddr & ::ffff:ffff == ::1234:5678 drop",
	]);
});
