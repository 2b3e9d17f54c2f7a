/**
 * The chains that the kernel calls for packets: the one source of what the daemon loads, what `render`
 * prints and what tests pin. Their rules never change; plans are swapped in below them.
 */

import { add, addRules, type Command, flush, remove } from "../../../kernel/nftables/commands.ts";
import { joined, jump } from "../../../kernel/nftables/expressions.ts";
import type { Chain, Hook, Rule } from "../../../kernel/nftables/objects.ts";
import type { NetworkPlan } from "../compile/plan.ts";
import { type BaseName, forwardChain, leavingChain, movingChain, rootOf } from "../names.ts";

const allNames: readonly BaseName[] = ["ingress", "egress", leavingChain, forwardChain];

export interface BaseChain extends Chain {
	readonly name: BaseName;
	readonly hook: Hook;
}

/**
 * Later than every filter of others, firewalld's at 10 among them, so that what they drop is dropped, and counted, there;
 * before 100, where source addresses are translated.
 */
const filterPriority = 20;

/** Later in `output` than translations of destinations, also those that somebody put at 100. */
const outputPriority = 120;

/** The interface of a packet in `output` is that of before any translation, so the address has to be local too. */
const loopbackOut = "oif lo fib daddr type local accept";

const established = "ct state established accept";

const bases: Readonly<Record<BaseName, BaseChain>> = {
	ingress: {
		kind: "chain",
		name: "ingress",
		hook: { hook: "input", priority: filterPriority },
		rules: ["iif lo accept", established, jump(rootOf("ingress"))],
	},
	egress: {
		kind: "chain",
		name: "egress",
		hook: { hook: "output", priority: outputPriority },
		rules: [established, loopbackOut, "ct status dnat fib daddr type local accept", jump(rootOf("egress"))],
	},
	leaving: {
		kind: "chain",
		name: leavingChain,
		hook: { hook: "postrouting", priority: filterPriority },
		// Forwarded and bridged packets come by here too. They have neither a process nor an address of this host.
		rules: [
			established,
			loopbackOut,
			...["meta skuid != 4294967295", "fib saddr type local", "fib saddr . oif type local"].map((own) =>
				joined(`${own} `, jump(rootOf(leavingChain))),
			),
		],
	},
	// Destinations are translated before, sources after: the sender is who it is, the receiver who it will be.
	forward: {
		kind: "chain",
		name: forwardChain,
		hook: { hook: "forward", priority: filterPriority },
		rules: [established, jump(rootOf(forwardChain))],
	},
};

export function baseChain(name: BaseName): BaseChain {
	return bases[name];
}

/** What of a plan says where it has to be called. */
export type HookedPlan = Pick<NetworkPlan, "egressHook" | "forward">;

/** The base chains that a plan needs. Nothing that is forwarded pays for a hook that judges nothing. */
export function baseNames({ egressHook, forward }: HookedPlan): readonly BaseName[] {
	return allNames.filter((name) => {
		if (name === leavingChain) return egressHook === "postrouting";
		return name !== forwardChain || forward !== undefined;
	});
}

/** All that a plan needs where some of them may not be there after the plan before. */
export function newBases(before: HookedPlan | null, plan: HookedPlan): readonly BaseName[] {
	const there = before === null ? [] : baseNames(before);
	const needed = baseNames(plan);
	return needed.every((name) => there.includes(name)) ? [] : needed;
}

/** Makes or keeps the base chain, emptied and with these rules. Atomic for packets, as long as no set is made with it. */
export function refill(name: BaseName, rules: readonly Rule[]): readonly Command[] {
	return standIn(name, name, rules);
}

function standIn(chain: string, base: BaseName, rules: readonly Rule[]): readonly Command[] {
	return [add({ ...baseChain(base), name: chain, rules }), flush("chain", chain), addRules(chain, rules)];
}

/** Makes these base chains what they must be, whether they are there or not. */
export function assertBaseChains(names: readonly BaseName[]): readonly Command[] {
	return names.flatMap((name) => refill(name, baseChain(name).rules));
}

/** What of a listing tells where base chains hook in. */
interface Listed {
	/** Of the base chains. */
	readonly hooks: Readonly<Record<string, Hook>>;
}

/** Base chains that are there with the priority of another version, or of somebody else. */
export function misplaced({ hooks }: Listed): BaseName[] {
	return allNames.filter((name) => {
		const found = hooks[name];
		return found !== undefined && found.priority !== baseChain(name).hook.priority;
	});
}

/** Base chains of ours that are there. */
export function presentBases({ hooks }: Listed): BaseName[] {
	return allNames.filter((name) => hooks[name] !== undefined);
}

/** Deletes base chains, to be made anew in the same transaction. */
export function dropBases(names: readonly BaseName[]): readonly Command[] {
	return names.flatMap(dropChain);
}

function dropChain(name: string): readonly Command[] {
	return [flush("chain", name), remove("chain", name)];
}

/**
 * Moves base chains to the priority that they must have, in transactions one after the other. A hook cannot be moved, and
 * a packet on its way may know only the hooks of before. So another chain judges as well while the old one is exchanged.
 */
export function moveBases(names: readonly BaseName[]): readonly (readonly Command[])[] {
	if (names.length === 0) return [];
	return [
		names.flatMap((name) => standIn(movingChain(name), name, baseChain(name).rules)),
		[...dropBases(names), ...assertBaseChains(names)],
		names.flatMap((name) => dropChain(movingChain(name))),
	];
}
