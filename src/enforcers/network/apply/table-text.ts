/** A whole table as text: what `portward render` prints, and what the steps of src/apply leave in the kernel. */

import type { NetworkPlan } from "../compile/plan.ts";
import { baseChain, baseNames, hookText, leavingChain, rootOf } from "./base-chains.ts";
import { rootRules, stableObjects } from "./transaction.ts";

/** The table with a plan in force. `table` is a checked identifier. */
export function tableText(plan: NetworkPlan, table: string): string {
	const counters = plan.objects.filter((object) => object.kind === "counter");
	const others = plan.objects.filter((object) => object.kind !== "counter");
	const objects = [...counters, ...others].map((object) => indent(object.text));
	const roots = new Map(rootRules(plan).map(([root, rule]) => [root, [rule]]));
	const leaving = rootOf(leavingChain);
	if (!roots.has(leaving)) roots.set(leaving, []);
	const bases = baseNames(plan.egressHook).map((name) => {
		const base = baseChain(name);
		return chain(name, [hookText(base), ...base.rules]);
	});
	const chains = [...[...roots].map(([root, rules]) => chain(root, rules)), ...bases];
	return `table inet ${table} {\n${[stableObjects(), ...objects, ...chains].join("\n")}}\n`;
}

function chain(name: string, lines: readonly string[]): string {
	return indent(`chain ${name} {\n${lines.map((line) => `\t${line}\n`).join("")}}\n`);
}

function indent(text: string): string {
	return text.replace(/^(?=.)/gm, "\t");
}
