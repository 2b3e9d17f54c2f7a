/** What may be changed in place of a plan, and what must not. */

import { expect, test } from "bun:test";
import { inPlace, loadedAs, withUplinks } from "../../../../src/enforcers/network/apply/in-place.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan, PlanObject } from "../../../../src/enforcers/network/compile/plan.ts";
import type { Rule } from "../../../../src/kernel/nftables/objects.ts";
import { options } from "../compile/options.ts";

const compiled = compileNetwork([], options);
if (!compiled.ok) throw new Error("no policies are a plan");
const empty = compiled.plan;

function list(content: string): PlanObject {
	const keys = Array.from({ length: 1000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/28`);
	const own = `198.51.100.${content.charCodeAt(0)}`;
	const flags = ["interval"] as const;
	return { kind: "set", name: `s_${content}`, type: "ipv4_addr", flags, keys: [...keys, own].join("\n") };
}

/** A plan whose one chain has these rules; its name is made of them, as a plan's are. */
function planOf(
	sets: readonly PlanObject[],
	rules: readonly Rule[],
	more: Partial<NetworkPlan> = {},
): NetworkPlan {
	const name = `x_${Bun.hash(JSON.stringify(rules)).toString(16)}`;
	const objects: readonly PlanObject[] = [...sets, { kind: "chain", name, rules }];
	return { ...empty, objects, roots: { ingress: name, egress: name }, ...more };
}

const two = (first: string, second: string) =>
	planOf(
		[list(first), list(second)],
		[
			["ip saddr @", `s_${first}`, " drop"],
			["ip daddr @", `s_${second}`, " drop"],
		],
	);

test("a plan none of whose names would be free is loaded anew", () => {
	const step = inPlace(loadedAs(two("a", "b")), two("c", "b"));
	expect(step?.names.get("s_c")).toBe("s_a");
	const loaded = { plan: two("c", "b"), names: step?.names ?? new Map() };
	expect(inPlace(loaded, two("c", "d"))?.names.get("s_d")).toBe("s_b");
	// What the kernel has as s_a is c now.
	expect(inPlace(loaded, two("c", "a"))).toBeNull();
	expect(inPlace(loaded, two("a", "b"))?.names.size).toBe(0);
});

test("sets that the daemon fills are no others under another name", () => {
	const units = (content: string, unit: string): NetworkPlan => {
		const set: PlanObject = { kind: "set", name: `units_${unit}`, type: "cgroupsv2", keys: "" };
		return planOf(
			[list(content), set],
			[["socket cgroupv2 level 2 @", `units_${unit}`, " ip daddr @", `s_${content}`, " drop"]],
		);
	};
	expect(inPlace(loadedAs(units("a", "0a")), units("b", "0a"))).not.toBeNull();
	expect(inPlace(loadedAs(units("a", "0a")), units("b", "0b"))).toBeNull();
});

test("uplinks that the kernel was told of since are those of the plan", () => {
	const forwarding = (content: string, uplinks: readonly string[]): NetworkPlan => {
		const plan = planOf([list(content)], [["ip saddr @", `s_${content}`, " drop"]]);
		return { ...plan, forward: { mode: "enforce", root: plan.roots.ingress, uplinks, guard: [] } };
	};
	const loaded = withUplinks(loadedAs(forwarding("a", ["br0"])), ["br1"]);
	expect(inPlace(loaded, forwarding("b", ["br0"]))).toBeNull();
	expect(inPlace(loaded, forwarding("b", ["br1"]))).not.toBeNull();
});

test("roots of quotas are the same where elements alone are others", () => {
	const counting = (content: string): NetworkPlan => {
		const plan = planOf([list(content)], [["ip saddr @", `s_${content}`, " drop"]]);
		return { ...plan, quotas: { roots: { ingress: plan.roots.ingress }, rules: [] } };
	};
	expect(inPlace(loadedAs(counting("a")), counting("b"))?.changes).toHaveLength(1);
});
