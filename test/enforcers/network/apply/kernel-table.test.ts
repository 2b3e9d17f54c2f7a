/** The steps from one plan to the next, on a kernel that can be watched and made to refuse at every step. */

import { beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isComplete } from "../../../../src/enforcers/network/apply/completeness.ts";
import { KernelTable } from "../../../../src/enforcers/network/apply/kernel-table.ts";
import { isOpen } from "../../../../src/enforcers/network/apply/open-table.ts";
import { tableGroups } from "../../../../src/enforcers/network/apply/table-objects.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan, RulesetForm } from "../../../../src/enforcers/network/compile/plan.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { ownershipMarker, rootOf } from "../../../../src/enforcers/network/names.ts";
import {
	add,
	addRules,
	addTable,
	type Command,
	declare,
	deleteTable,
	flush,
	remove,
} from "../../../../src/kernel/nftables/commands.ts";
import type { NftObject } from "../../../../src/kernel/nftables/objects.ts";
import { objectText } from "../../../../src/kernel/nftables/writer.ts";
import { FakeNft } from "../../../support/fake-nft.ts";
import { namesIn, referencesOf } from "../../../support/object-names.ts";
import { policy, rule } from "../compile/build.ts";
import { policySets } from "../compile/generate.ts";
import { options } from "../compile/options.ts";

const name = "kubearmor";

let kernel: FakeNft;
let table: KernelTable;
beforeEach(() => {
	kernel = new FakeNft();
	table = new KernelTable(kernel, name);
});

let epochs = 0;
function compiled(policies: readonly NetworkPolicy[], form: RulesetForm = "concatenated"): NetworkPlan {
	const result = compileNetwork(policies, { ...options, form, epoch: `e${++epochs}` });
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	return result.plan;
}

const blocked = (port: number) => compiled([policy("a", rule("Block", { ports: [`tcp/${port}`] }))]);
const leaving = () => {
	const block = policy("a", rule("Block", { interfaces: ["eth0"] }));
	return compiled([{ ...block, egress: block.ingress }]);
};
const ingressOf = (plan: NetworkPlan) => `goto ${plan.roots.ingress}`;
const texts = (objects: readonly NftObject[]) => objects.map((object) => objectText(object)).sort();

/** What stands in the root of a direction. */
function root(base: "ingress" | "egress" = "ingress"): readonly string[] {
	const found = kernel.objects(name).find((object) => object.name === rootOf(base));
	if (found?.kind !== "chain") return [];
	return found.rules.map((one) => (typeof one === "string" ? one : one.join("")));
}

/** All that packets may come to. */
function reached(objects: readonly NftObject[]): ReadonlySet<string> {
	const byName = new Map(objects.map((object) => [object.name, object]));
	const found = new Set<string>();
	const visit = (object: NftObject | undefined) => {
		if (object === undefined || found.has(object.name)) return;
		found.add(object.name);
		for (const next of referencesOf(object)) visit(byName.get(next));
	};
	for (const object of objects) if (object.kind === "chain" && object.hook !== undefined) visit(object);
	return found;
}

describe("from plan to plan", () => {
	test("packets meet a whole ruleset after every transaction, and no set that is made with it", () => {
		const forms = fc.constantFrom<RulesetForm>("concatenated", "nested");
		fc.assert(
			fc.property(fc.array(fc.tuple(policySets, forms), { minLength: 2, maxLength: 4 }), (sets) => {
				kernel = new FakeNft();
				table = new KernelTable(kernel, name);
				let before: readonly string[] = [];
				let judged = false;
				kernel.onCommit = () => {
					const objects = kernel.objects(name);
					const made = objects.filter((one) => !before.includes(one.name));
					before = objects.map((one) => one.name);
					const complete = isComplete(kernel, name);
					expect(complete || !judged).toBe(true);
					judged ||= complete;
					const met = reached(objects);
					const early = made.filter(
						({ kind, name: own }) => (kind === "set" || kind === "map") && met.has(own),
					);
					expect(early).toEqual([]);
				};
				for (const [policies, form] of sets) {
					const plan = compiled(policies, form);
					expect(table.apply(plan)).toMatchObject({ ok: true });
					expect(table.collect()).toBe("");
					expect(texts(kernel.objects(name))).toEqual(texts(tableGroups(plan).flat()));
				}
			}),
			{ numRuns: 20 },
		);
	});

	test("whichever transaction is refused, one of the two plans is in force, and the next attempt succeeds", () => {
		const first = blocked(80);
		for (let at = 1; ; at++) {
			kernel = new FakeNft();
			table = new KernelTable(kernel, name);
			table.apply(first);
			let left = at;
			kernel.refuse = () => (--left === 0 ? "no memory" : null);
			const second = blocked(81);
			const outcome = [table.apply(second).ok, table.collect()];
			expect(isComplete(kernel, name)).toBe(true);
			expect([ingressOf(first), ingressOf(second)]).toContain(root().join());
			kernel.refuse = null;
			expect(table.apply(second).ok).toBe(true);
			expect(root()).toEqual([ingressOf(second)]);
			expect(table.collect()).toBe("");
			// Chains that were loaded twice have their rules twice, the later behind the verdict that ends the chain.
			const names = (objects: readonly NftObject[]) => objects.map((object) => object.name).sort();
			expect(names(kernel.objects(name))).toEqual(names(tableGroups(second).flat()));
			if (left > 0) {
				expect(outcome).toEqual([true, ""]);
				break;
			}
		}
	});

	test("what is judged where it leaves comes and goes with the plans that need it", () => {
		table.apply(leaving());
		table.collect();
		expect(kernel.list(name)).toMatchObject({ listing: { hooks: { leaving: { hook: "postrouting" } } } });
		expect(isComplete(kernel, name)).toBe(true);
		table.apply(blocked(80));
		table.collect();
		expect(kernel.list(name)).not.toMatchObject({ listing: { hooks: { leaving: {} } } });
		expect(isComplete(kernel, name)).toBe(true);
	});

	test("a table that somebody puts in place of ours between two steps is left alone", () => {
		const theirs: readonly Command[] = [addTable, add({ kind: "chain", name: "theirs", rules: [] })];
		table.apply(blocked(80));
		kernel.onCommit = () => {
			kernel.onCommit = () => {};
			kernel.run(name, [deleteTable]);
			kernel.run(name, theirs);
		};
		expect(table.apply(blocked(81))).toMatchObject({ ok: false });
		expect(kernel.objects(name).map((object) => object.name)).toEqual(["theirs"]);
		expect(table.remove()).toMatchObject({ ok: false, reason: "foreign" });
	});

	test("base chains of another priority are moved, and judged by others meanwhile", () => {
		table.apply(blocked(80));
		kernel.run(name, [
			flush("chain", "ingress"),
			remove("chain", "ingress"),
			add({ kind: "chain", name: "ingress", hook: { hook: "input", priority: 0 }, rules: [] }),
			addRules("ingress", [["jump ", rootOf("ingress")]]),
		]);
		kernel.onCommit = () => {
			const met = kernel
				.objects(name)
				.filter((one) => one.kind === "chain" && one.hook?.hook === "input")
				.some((one) => one.kind === "chain" && one.rules.flatMap(namesIn).includes(rootOf("ingress")));
			expect(met).toBe(true);
		};
		table.distrust();
		const plan = blocked(81);
		expect(table.apply(plan)).toMatchObject({ ok: true });
		expect(table.collect()).toBe("");
		expect(texts(kernel.objects(name))).toEqual(texts(tableGroups(plan).flat()));
	});
});

describe("with somebody else at it", () => {
	test("the guard drops until the plan is back, and makes the table anew where it must", () => {
		const plan = blocked(80);
		table.apply(plan);
		kernel.run(name, [deleteTable]);
		expect(table.guard(plan, true)).toMatchObject({ ok: true });
		expect(table.anew).toBe(true);
		expect(root().at(-1)).toEndWith(" drop");
		// One of ours was replaced by another thing of its name.
		kernel.run(name, [deleteTable, addTable, add({ kind: "chain", name: ownershipMarker, rules: [] })]);
		kernel.run(name, [declare([{ kind: "set", name: "refused4", type: "ipv6_addr", keys: "" }])]);
		expect(table.guard(plan, true)).toMatchObject({ ok: true });
		expect(table.anew).toBe(true);
		expect(root().at(-1)).toEndWith(" drop");
	});

	test("rules before ours are led past without closing", () => {
		const plan = blocked(80);
		table.apply(plan);
		kernel.run(name, [addRules("ingress", ["accept"])]);
		expect(table.guard(plan, false)).toMatchObject({ ok: true });
		expect(kernel.rules(name, "ingress")).toMatchObject({ rules: { length: 3 } });
		expect(isComplete(kernel, name)).toBe(true);
	});

	test("open and close, and whether it is", () => {
		expect(table.letAllPass()).toEqual({ ok: true, opened: false });
		expect(table.close()).toEqual({ ok: true, closed: false });
		expect(isOpen(kernel, name)).toBe(false);
		table.apply(leaving());
		expect(isOpen(kernel, name)).toBe(false);
		expect(table.letAllPass()).toEqual({ ok: true, opened: true });
		expect([isOpen(kernel, name), isComplete(kernel, name)]).toEqual([true, false]);
		expect(table.close()).toEqual({ ok: true, closed: true });
		expect([isOpen(kernel, name), isComplete(kernel, name)]).toEqual([false, true]);
	});

	test("a table of ours that may hold anything is emptied of all but counters before a plan is loaded", () => {
		const plan = blocked(80);
		table.apply(plan);
		kernel.run(name, [declare([{ kind: "chain", name: plan.roots.ingress, rules: ["accept"] }])]);
		expect(new KernelTable(kernel, name).replace(plan)).toMatchObject({ ok: true });
		expect(texts(kernel.objects(name))).toEqual(texts(tableGroups(plan).flat()));
	});
});

test("where ports cannot be muted the flows are refused all the same, and that is told", () => {
	table.apply(blocked(80));
	const flow = { family: 4, remote: "198.51.100.7", protocol: 6, remotePort: 4000, localPort: 22 } as const;
	const muted = { family: 4, interface: null, port: 7000, first: "192.0.2.1", last: "192.0.2.9" } as const;
	kernel.refuse = (commands) =>
		commands.some((one) => one.do === "add" && one.object.kind === "set") ? "no intervals" : null;
	expect(table.cut([flow])).toEqual({ ok: true });
	expect(table.cut([flow], [muted])).toEqual({ ok: false, error: "no intervals" });
	const refused = () => kernel.objects(name).find((object) => object.name === "refused4");
	expect(refused()).toMatchObject({ keys: "198.51.100.7 . 6 . 4000 . 22" });
	kernel.refuse = null;
	expect(table.cut([], [muted])).toEqual({ ok: true });
	expect(refused()).toMatchObject({ keys: "" });
});

test("the form is what the kernel takes", () => {
	const forms = (refused: (text: string) => boolean) => {
		kernel.refuse = (commands) => (refused(JSON.stringify(commands)) ? "no" : null);
		return table.probe();
	};
	expect(forms(() => false)).toBe("concatenated");
	expect(forms((text) => text.includes("interval"))).toBe("nested-members");
	expect(forms((text) => text.includes("sdifname"))).toBe("nested");
	expect(table.probe("concatenated")).toBe("concatenated");
	kernel.refuse = null;
	expect(table.probe("nested")).toBe("nested-members");
	expect(kernel.list("kubearmor_probe")).toEqual({ ok: true, listing: null });
});
