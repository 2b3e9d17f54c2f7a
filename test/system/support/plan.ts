/** A small plan for tests of what is loaded. */

import type { NetworkPlan, PlanObject } from "../../../src/enforcers/network/compile/plan.ts";
import { vmap } from "../../../src/kernel/nftables/expressions.ts";
import type { Rule } from "../../../src/kernel/nftables/objects.ts";

export const chain = (name: string, ...rules: Rule[]): PlanObject => ({ kind: "chain", name, rules });
export const counter = (name: string): PlanObject => ({ kind: "counter", name });
export const map = (name: string, keys: string, target: string): PlanObject => ({
	kind: "map",
	name,
	type: "ipv4_addr",
	to: "verdict",
	flags: ["interval"],
	keys,
	values: [{ verdict: "goto", chain: target }],
	leads: [0],
});

/** A generation whose objects but the counter bear `g` in their names. */
export function plan(g: string, defaultDrop = false): NetworkPlan {
	const objects = [
		counter("c_rule"),
		chain(`r_${g}`, "counter name c_rule drop"),
		map(`m_${g}`, "192.0.2.0/24", `r_${g}`),
		chain(`in_${g}`, vmap("ip saddr", `m_${g}`), "accept"),
		chain(`out_${g}`, "accept"),
	];
	return {
		objects,
		roots: { ingress: `in_${g}`, egress: `out_${g}` },
		rules: [],
		elements: 1,
		allowlistMode: { ingress: defaultDrop, egress: false },
		defaultDrop: { ingress: defaultDrop, egress: false },
		failsafe: [],
	};
}
