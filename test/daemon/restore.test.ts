import { expect, test } from "bun:test";
import { restoreNetwork } from "../../src/daemon/restore.ts";
import { isComplete } from "../../src/enforcers/network/apply/completeness.ts";
import { KernelTable } from "../../src/enforcers/network/apply/kernel-table.ts";
import type { NetworkPlan } from "../../src/enforcers/network/compile/plan.ts";
import type { BootEnd, BootRuleset } from "../../src/engine/boot-rulesets.ts";
import { add, addTable, type Command, flush } from "../../src/kernel/nftables/commands.ts";
import { FakeNft } from "../support/fake-nft.ts";

const chainOf = (origin: string) => `x_${origin}`;

const planOf = (origin: string): NetworkPlan => ({
	objects: [{ kind: "chain", name: chainOf(origin), rules: ["accept"] }],
	roots: { ingress: chainOf(origin), egress: chainOf(origin) },
	rules: [],
	elements: 0,
	allowlistMode: { ingress: false, egress: false },
	defaultDrop: { ingress: false, egress: false },
	failsafe: [],
});

const ruleset = (origin: string, usbLock = false): BootRuleset => ({
	origin,
	kept: { usbLock },
	plan: planOf(origin),
});

/** What a transaction is for. */
function purpose(commands: readonly Command[]): readonly string[] {
	if (commands.some((one) => one.do === "add-rules" && one.rules.includes("drop"))) return ["close"];
	const declared = commands.flatMap((one) => (one.do === "declare" ? one.objects : []));
	return declared.flatMap(({ name }) => (name.startsWith("x_") ? [`load ${name.slice(2)}`] : []));
}

function tryRestore(
	state: "absent" | "ours" | "foreign",
	complete: boolean,
	offered: readonly BootRuleset[],
	refused: readonly string[] = [],
	end: BootEnd = "unusable",
) {
	const calls: string[] = [];
	const problems: string[] = [];
	const nft = new FakeNft();
	if (state === "foreign") nft.run("t", [addTable, add({ kind: "chain", name: "theirs", rules: [] })]);
	if (state === "ours") new KernelTable(nft, "t").apply(planOf("before"));
	if (state === "ours" && !complete) nft.run("t", [flush("chain", "ingress")]);
	nft.refuse = (commands) => {
		const purposes = purpose(commands);
		calls.push(...purposes);
		return purposes.some((one) => refused.some((origin) => one === `load ${origin}`)) ? "no" : null;
	};
	const rulesets = (function* (): Generator<BootRuleset, BootEnd> {
		for (const each of offered) {
			calls.push(`offer ${each.origin}`);
			yield each;
		}
		return end;
	})();
	const restored = restoreNetwork(
		new KernelTable(nft, "t"),
		rulesets,
		({ origin }) => calls.push(`found ${origin}`),
		(problem) => problems.push(problem),
	);
	return { restored, calls, problems, complete: isComplete(nft, "t") };
}

test("the first ruleset that the kernel takes is loaded, and no other is made; devices go by the newest, and first", () => {
	const offered = [ruleset("a", true), ruleset("b"), ruleset("c")];
	const { restored, calls, problems, complete } = tryRestore("absent", false, offered, ["a"]);
	expect(calls).toEqual(["offer a", "found a", "load a", "offer b", "load b"]);
	expect(complete).toBe(true);
	expect(restored).toEqual({ result: "loaded", origin: "b" });
	expect(problems).toEqual([expect.stringContaining("a cannot be loaded: no")]);
});

test("a whole table of ours stays, one that is not is replaced", () => {
	expect(tryRestore("ours", true, [ruleset("a")])).toMatchObject({
		calls: ["offer a", "found a"],
		restored: { result: "present" },
	});
	expect(tryRestore("ours", true, []).restored).toEqual({ result: "present" });
	expect(tryRestore("ours", false, [ruleset("a")])).toMatchObject({
		calls: ["offer a", "found a", "close", "load a"],
		complete: true,
	});
});

test("another's table ends the search; what filters no packets ends it as well", () => {
	const foreign = tryRestore("foreign", false, [ruleset("a"), ruleset("b")]);
	expect(foreign.calls).toEqual(["offer a", "found a"]);
	expect(foreign.problems).toEqual([expect.stringContaining("was not made by portward")]);
	expect(foreign.restored).toEqual({ result: "none", end: "unusable" });
	const unfiltered = tryRestore("absent", false, [{ ...ruleset("a"), plan: null }, ruleset("b")]);
	expect(unfiltered.calls).toEqual(["offer a", "found a"]);
	expect(unfiltered.restored).toEqual({ result: "unfiltered", origin: "a" });
});

test.each<BootEnd>(["first-start", "open", "unusable"])("where nothing is offered, it ends as %p", (end) => {
	expect(tryRestore("absent", false, [], [], end)).toMatchObject({
		calls: [],
		restored: { result: "none", end },
	});
});
