/** What limits make of rules; what that means to packets is held in test/system/policies/limits.test.ts. */

import { describe, expect, test } from "bun:test";
import { withoutBlocking } from "../../../../src/enforcers/network/compile/enforcement.ts";
import { timeoutOf } from "../../../../src/enforcers/network/compile/limits.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import {
	type CompiledRule,
	limitRules,
	loggedRules,
} from "../../../../src/enforcers/network/compile/plan.ts";
import { decidePacket, type Packet } from "../../../../src/enforcers/network/compile/program.ts";
import { inEpoch } from "../../../../src/enforcers/network/compile/render/objects.ts";
import type { ConnectionLimit, RateLimit } from "../../../../src/enforcers/network/model.ts";
import { parsePolicies } from "./limited.ts";
import { options } from "./options.ts";

function compiled(rules: string, staged?: string) {
	const result = compileNetwork(
		parsePolicies(rules, "a"),
		options,
		staged === undefined ? [] : parsePolicies(staged, "b"),
	);
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	return result;
}

const plain = "- {action: Allow, ports: [{protocol: TCP, port: 22}]}";
const limited = (more = "", action = "Allow") =>
	`- {action: ${action}, message: m, ports: [{protocol: TCP, port: 22}], rateLimit: {connections: 10/minute}, connectionLimit: {max: 3, per: rule}${more}}`;

const first = (rules: string): CompiledRule => {
	const [rule] = compiled(rules).plan.rules;
	if (rule === undefined) throw new Error("no rule");
	return rule;
};

const packet: Packet = {
	direction: "ingress",
	family: 4,
	address: 0x0a000001n,
	interface: "eth0",
	protocol: "tcp",
	port: 22,
	source: null,
};

describe("the rules beside a rule", () => {
	test("have identities, counters and alerts of their own", () => {
		const { plan } = compiled(limited());
		const all = loggedRules(plan);
		expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
		expect(new Set(all.map(({ counter }) => counter)).size).toBe(all.length);
		const [exceeded, full, open] = limitRules(first(limited()));
		expect(exceeded).toMatchObject({
			action: "Block",
			message: "m: beyond rateLimit 10/minute (burst 5) from each source (IPv6: each /64)",
			limit: { limit: "rateLimit", reason: "exceeded", audited: false },
		});
		expect(full?.message).toBe(
			"m: no room to count another source for rateLimit 10/minute (burst 5) from each source (IPv6: each /64)",
		);
		expect(open?.message).toBe("m: beyond connectionLimit 3 open connections for the whole rule");
		for (const rule of [exceeded, full, open])
			for (const name of [rule?.counter, rule?.logCounter])
				expect(plan.objects).toContainEqual({ kind: "counter", name: name ?? "" });
	});

	test.each<[string, string, string, string, boolean]>([
		["Allow", "", "Block", "Block", false],
		["Allow", ", exceedAction: Audit", "Audit", "Audit", true],
		["Audit", "", "Block", "Audit", false],
		["Audit", ", exceedAction: Audit", "Audit", "Audit", true],
	])("of %s%s", (action, more, exceeds, fills, audited) => {
		const [exceeded, full] = limitRules(first(limited(more, action)));
		expect([exceeded?.action, full?.action, exceeded?.limit?.audited]).toEqual<unknown[]>([
			exceeds,
			fills,
			audited,
		]);
		expect(full?.limit?.audited).toBe(audited && action === "Allow");
	});

	test("refuse nothing under `enforcement: audit`", () => {
		const { model } = compiled(limited());
		const [rule] = withoutBlocking(model).ingress.rules;
		if (rule === undefined) throw new Error("no rule");
		expect(limitRules(rule).map(({ action, wouldBe }) => [action, wouldBe])).toEqual(
			Array.from({ length: 3 }, () => ["Audit", "Block"]),
		);
		expect(rule.id).toBe(first(limited()).id);
	});

	test("of what is staged would block, and of what is in force are not asked again", () => {
		const { plan } = compiled(
			limited(),
			"- {action: Allow, ports: [{protocol: UDP}], connectionLimit: {max: 1}}",
		);
		const told = plan.staged?.rules ?? [];
		expect(
			told.map(({ policy, action, wouldBe, limit }) => [policy, action, wouldBe, limit?.reason]),
		).toEqual([
			["b", "Audit", "Block", "exceeded"],
			["b", "Audit", "Block", "full"],
		]);
		expect(plan.staged?.policies.map(({ rules }) => rules)).toEqual([told.map(({ id }) => id)]);
		expect(
			compiled(plain, "- {action: Allow, connectionLimit: {max: 1}, exceedAction: Audit}").plan.staged?.rules,
		).toEqual([]);
	});
});

describe("precedence", () => {
	test("knows the rule alone", () => {
		expect(decidePacket(compiled(limited()).model, packet)).toMatchObject({
			action: "Allow",
			rule: { index: 0 },
		});
	});
});

describe("what is kept", () => {
	const sets = (rules: string) =>
		compiled(rules).plan.objects.flatMap(({ kind, name }) =>
			kind === "set" && name.startsWith("limit_") ? name : [],
		);

	test("is the same as long as the rule and the limit are", () => {
		const before = sets(limited());
		expect(before).toHaveLength(3);
		expect(sets(limited(", exceedAction: Audit"))).toEqual(before);
		expect(sets(limited(", severity: 7"))).toEqual(before);
		expect(sets(`${limited()}\n${plain}`)).toEqual(before);
		const otherMax = sets(limited().replace("max: 3", "max: 4"));
		const kept = before.filter((name) => otherMax.includes(name));
		expect(kept).toEqual(before.filter((name) => !name.endsWith("_common")));
		expect(kept).toHaveLength(2);
		expect(sets(limited(", iface: [eth0]")).some((name) => before.includes(name))).toBe(false);
		expect(sets(limited("", "Audit")).some((name) => before.includes(name))).toBe(false);
	});

	test("keeps its name in another epoch", () => {
		const { plan } = compiled(limited());
		const names = (of: typeof plan) =>
			of.objects.map(({ name }) => name).filter((name) => name.startsWith("limit_"));
		expect(names(inEpoch(plan, "other"))).toEqual(names(plan));
	});

	test("is kept until the bucket is full again", () => {
		const counted = { per: "source", prefix6: 64 } as const;
		const rate = (connections: number, unit: RateLimit["unit"], burst: number) =>
			timeoutOf({ connections, unit, burst, ...counted });
		expect([rate(10, "minute", 5), rate(1, "day", 30), rate(1000, "second", 5)]).toEqual([31, 2_592_001, 2]);
		const open: ConnectionLimit = { max: 3, ...counted };
		expect(timeoutOf(open)).toBeNull();
	});
});

test("without limits everything is as it was", () => {
	const { plan } = compiled(plain);
	expect(JSON.stringify(plan)).not.toContain("limit_");
	expect(plan.rules.map(({ limits }) => limits)).toEqual([undefined, undefined]);
	// A rule with a limit is another rule than the one without.
	expect(first(limited()).id).not.toBe(first(plain).id);
});
