import { describe, expect, test } from "bun:test";
import { withUsed } from "../../../../src/enforcers/network/apply/used-quotas.ts";
import { quotaText } from "../../../../src/enforcers/network/compile/describe.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import type { Packet } from "../../../../src/enforcers/network/compile/program.ts";
import { mostQuotas } from "../../../../src/enforcers/network/compile/quota.ts";
import { merged } from "../../../../src/enforcers/network/compile/render/quotas.ts";
import { quotasAt } from "../../../../src/enforcers/network/compile/verdict/explain.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { quotaKey, quotaObject } from "../../../../src/enforcers/network/names.ts";
import { policy, rule } from "./build.ts";
import { options } from "./options.ts";

const quota = { bytes: 1024, limit: "1KB", seconds: 90 };
const other = { ...quota, bytes: 2048, limit: "2KB" };
const peers = ["10.0.0.0/8 except 10.9.0.0/16"];

function compiled(policies: readonly NetworkPolicy[], more: Partial<typeof options> = {}) {
	const result = compileNetwork(policies, { ...options, ...more });
	if (!result.ok) throw new Error(result.diagnostics[0]?.message);
	return result;
}

test("a Block or an Audit with a quota decides nothing, and an Allow is an allow-list", () => {
	const plain = compiled([policy("p", rule("Block", { ports: ["tcp/1"] }))]).plan;
	const beside = [policy("q", { ...rule("Block"), quota }, { ...rule("Audit"), quota })];
	const { plan } = compiled([policy("p", rule("Block", { ports: ["tcp/1"] })), ...beside]);
	expect(plan.rules).toEqual(plain.rules);
	expect(plan.roots).toEqual(plain.roots);
	expect(plan.allowlistMode.ingress).toBe(false);
	expect(plan.quotas?.rules).toMatchObject([
		{ rule: { action: "Block", index: 0 }, bytes: 1024, seconds: 90 },
		{ rule: { action: "Audit", index: 1 } },
	]);
	const allow = compiled([policy("p", { ...rule("Allow"), quota })]).plan;
	expect(allow).toMatchObject({
		allowlistMode: { ingress: true },
		quotas: { rules: [{ rule: { action: "Block" } }] },
	});
	expect(plain).not.toHaveProperty("quotas");
});

test("another limit is another object of the same key; another match is another key", () => {
	const of = (first: NetworkPolicy) => compiled([first]).plan.quotas?.rules[0];
	const one = of(policy("p", { ...rule("Block", { peers }), quota }));
	const two = of(policy("p", { ...rule("Block", { peers }), quota: other }));
	expect(two?.key).toBe(one?.key ?? "");
	expect(two?.object).not.toBe(one?.object ?? "");
	expect(two?.rule.id).not.toBe(one?.rule.id ?? "");
	expect(of(policy("p", { ...rule("Block"), quota }))?.key).not.toBe(one?.key ?? "");
	expect(quotaKey(quotaObject("0123456789abcdef", 5))).toBe("0123456789abcdef");
	expect(quotaKey("c_0123456789abcdef")).toBeNull();
});

test("under enforcement: audit nothing is refused", () => {
	const { plan } = compiled([policy("p", { ...rule("Block"), quota })], { enforcement: "audit" });
	expect(plan.quotas?.rules).toMatchObject([{ rule: { action: "Audit", wouldBe: "Block" } }]);
	expect(JSON.stringify(plan.objects)).not.toContain("drop comment");
});

test("too many are refused at the place of the first beyond, and staged ones are warned of", () => {
	const many = Array.from({ length: mostQuotas + 1 }, () => ({ ...rule("Block"), quota }));
	const result = compileNetwork([policy("p", ...many)], options);
	expect(result).toMatchObject({
		ok: false,
		diagnostics: [{ code: "too-many-quotas", path: `spec.ingress[${mostQuotas}].limit` }],
	});
	const staged = compileNetwork([policy("q", ...many.slice(1))], options, [policy("p", ...many.slice(1, 3))]);
	expect(staged.diagnostics.filter(({ code }) => code === "quota-not-counted")).toMatchObject([
		{ path: "spec.ingress[0].limit" },
		{ path: "spec.ingress[1].limit" },
	]);
});

test("a staged quota counts beside those in force, with a number of its own, and refuses nothing", () => {
	const counted = policy("p", { ...rule("Block"), quota });
	const { plan: alone } = compiled([counted]);
	const beside = compileNetwork([counted], options, [policy("s", { ...rule("Block"), quota })]);
	if (!beside.ok) throw new Error("refused");
	expect(beside.diagnostics).toEqual([]);
	expect(beside.model.quotas?.map(({ rule: { policy: name } }) => name)).toEqual(["p"]);
	expect(beside.plan.quotas?.rules).toMatchObject([
		{ rule: { policy: "p", action: "Block" } },
		{ staged: true, rule: { policy: "s", action: "Audit", wouldBe: "Block", staged: ["s"] } },
	]);
	const telling = compileNetwork([], options, [policy("s", { ...rule("Audit"), quota })]);
	const [told] = telling.ok ? (telling.plan.quotas?.rules ?? []) : [];
	expect(told).toMatchObject({ staged: true, rule: { action: "Audit", staged: ["s"] } });
	expect(told?.rule.wouldBe).toBeUndefined();
	const drops = (plan: NetworkPlan) => JSON.stringify(plan.objects).split("drop comment").length;
	expect(drops(beside.plan)).toBe(drops(alone));
	const staged = compileNetwork([], options, [counted]);
	if (!staged.ok) throw new Error("refused");
	expect(staged.plan.quotas?.rules[0]?.key).not.toBe(alone.quotas?.rules[0]?.key ?? "");
	expect(staged.model.quotas).toBeUndefined();
});

test("a staged quota that would move where those in force count, or keep them from being in force, counts nothing", () => {
	const out = (name: string, interfaces: readonly string[], more: readonly string[] = []) => {
		const made = policy(name, { ...rule("Block", { interfaces: [...interfaces], peers: [...more] }), quota });
		return { ...made, ingress: [], egress: made.ingress };
	};
	const codes = (...[policies, staged, changed]: [NetworkPolicy[], NetworkPolicy[], object?]) =>
		compileNetwork(policies, { ...options, ...changed }, staged).diagnostics.map(({ code }) => code);
	expect(codes([out("a", [])], [out("s", ["eth0"])])).toEqual(["quota-not-counted"]);
	expect(codes([out("a", ["eth0"])], [out("s", ["eth0"])])).toEqual([]);
	expect(codes([], [out("s", ["eth0"])])).toEqual([]);
	// What is forwarded is counted elsewhere.
	expect(codes([out("a", [])], [{ ...out("s", ["eth0"]), appliesTo: "guests" }])).toEqual([]);
	const blocks = Array.from({ length: 9 }, (_, i) => `10.${i * 2}.0.0/16`);
	expect(codes([out("a", [])], [out("s", [], blocks)], { maxElements: 5 })).toContain("quota-not-counted");
});

describe("a packet counts", () => {
	const { model } = compiled([
		policy("p", { ...rule("Block", { peers, ports: ["udp/53"] }), quota }, { ...rule("Audit"), quota }),
		{ ...policy("g", { ...rule("Block"), quota }), appliesTo: "guests" as const },
	]);
	const packet: Packet = {
		direction: "ingress",
		family: 4,
		address: 0x0a000001n,
		interface: "eth0",
		protocol: "udp",
		port: 53,
		source: null,
	};
	const names = (asked: Packet, place: "host" | "guests" = "host") =>
		quotasAt(model, asked, place).map(({ rule: { policy: name, index } }) => `${name}${index}`);

	test("for every quota whose rule matches it", () => {
		expect(names(packet)).toEqual(["p0", "p1"]);
		expect(names(packet, "guests")).toEqual(["g0", "p0", "p1"]);
		expect(names({ ...packet, address: 0x0a090001n })).toEqual(["p1"]);
		expect(names({ ...packet, direction: "egress" })).toEqual([]);
	});
});

test("addresses are joined, in words and in sets", () => {
	const ranges = [
		{ first: 5, last: 9 },
		{ first: 0, last: 4 },
		{ first: 20, last: 30 },
		{ first: 22, last: 24 },
	];
	expect(merged(ranges)).toEqual([
		{ first: 0, last: 9 },
		{ first: 20, last: 30 },
	]);
	expect(quotaText({ quota: { bytes: 1, limit: "1KB", seconds: 90_061 } })).toBe("1KB in 1d1h1m1s");
	expect(quotaText({})).toBe("");
});

test("an object begins with what was used, and never with more than its limit", () => {
	const object = { kind: "quota", name: "q", match: "over", bytes: 10 } as const;
	expect(withUsed(object, { q: 4 })).toEqual({ ...object, used: 4 });
	expect(withUsed(object, { q: 40 })).toEqual({ ...object, used: 10 });
	expect(withUsed(object, {})).toBe(object);
	expect(withUsed({ kind: "counter", name: "q" }, { q: 4 })).toEqual({ kind: "counter", name: "q" });
});
