/**
 * The chains that the kernel calls for packets: the one source of what the daemon loads, what `render`
 * prints and what tests pin. Their rules never change; plans are swapped in below them.
 */

import { add, addRules, type Command, flush, remove } from "../../../kernel/nftables/commands.ts";
import { joined, jump } from "../../../kernel/nftables/expressions.ts";
import type { Chain, Hook, Rule } from "../../../kernel/nftables/objects.ts";
import type { EgressHook, NetworkPlan, QuotaPlan, StagedPlan } from "../compile/plan.ts";
import {
	type BaseName,
	forwardChain,
	leavingChain,
	movingChain,
	type QuotaName,
	quotaChains,
	rootOf,
	type StagedName,
	stagedChains,
} from "../names.ts";

const ownNames: readonly BaseName[] = ["ingress", "egress", leavingChain, forwardChain];
const stagedNames: readonly StagedName[] = Object.values(stagedChains);
const quotaNames: readonly QuotaName[] = Object.values(quotaChains);
const allNames: readonly BaseName[] = [...ownNames, ...stagedNames, ...quotaNames];

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

/** What is staged judges what passed what is in force, right behind it. */
const behind = 1;

/** What is counted for quotas passed all that decides. */
const last = 2;

function chainOf<Name extends BaseName>(
	name: Name,
	hook: Hook["hook"],
	priority: number,
	rules: readonly Rule[],
): BaseChain & { readonly name: Name } {
	return { kind: "chain", name, hook: { hook, priority }, rules };
}

/** What a base chain accepts before it judges: of open flows quotas count every packet. */
const opened: readonly Rule[] = [established];

function ingress<Name extends BaseName>(name: Name, priority: number, open = opened) {
	return chainOf(name, "input", priority, ["iif lo accept", ...open, jump(rootOf(name))]);
}

function egress<Name extends BaseName>(name: Name, priority: number, open = opened) {
	const translated = "ct status dnat fib daddr type local accept";
	return chainOf(name, "output", priority, [...open, loopbackOut, translated, jump(rootOf(name))]);
}

function leaving<Name extends BaseName>(name: Name, priority: number, open = opened) {
	// Forwarded and bridged packets come by here too. They have neither a process nor an address of this host.
	const own = ["meta skuid != 4294967295", "fib saddr type local", "fib saddr . oif type local"];
	const led = own.map((sent) => joined(`${sent} `, jump(rootOf(name))));
	return chainOf(name, "postrouting", priority, [...open, loopbackOut, ...led]);
}

function forward<Name extends BaseName>(name: Name, priority: number, open = opened) {
	// Destinations are translated before, sources after: the sender is who it is, the receiver who it will be.
	return chainOf(name, "forward", priority, [...open, jump(rootOf(name))]);
}

const bases: Readonly<Record<BaseName, BaseChain>> = {
	ingress: ingress("ingress", filterPriority),
	egress: egress("egress", outputPriority),
	leaving: leaving(leavingChain, filterPriority),
	forward: forward(forwardChain, filterPriority),
	staged_ingress: ingress(stagedChains.ingress, filterPriority + behind),
	staged_egress: egress(stagedChains.egress, outputPriority + behind),
	staged_leaving: leaving(stagedChains.leaving, filterPriority + behind),
	staged_forward: forward(stagedChains.forward, filterPriority + behind),
	quota_ingress: ingress(quotaChains.ingress, filterPriority + last, []),
	quota_egress: egress(quotaChains.egress, outputPriority + last, []),
	quota_leaving: leaving(quotaChains.leaving, filterPriority + last, []),
	quota_forward: forward(quotaChains.forward, filterPriority + last, []),
};

export function baseChain(name: BaseName): BaseChain {
	return bases[name];
}

/** What of a plan says where it has to be called. */
export type HookedPlan = Pick<NetworkPlan, "egressHook" | "forward" | "quotas" | "staged">;

/** The base chains that a plan needs. Nothing that is forwarded pays for a hook that judges nothing. */
export function baseNames(plan: HookedPlan): readonly BaseName[] {
	return [...ownBases(plan), ...besideBases(plan).map(({ name }) => name)];
}

/** Those of what is in force alone. */
export function ownBases({
	egressHook,
	forward,
}: Pick<HookedPlan, "egressHook" | "forward">): readonly BaseName[] {
	return ownNames.filter((name) => {
		if (name === leavingChain) return egressHook === "postrouting";
		return name !== forwardChain || forward !== undefined;
	});
}

interface LedBase<Name extends BaseName = BaseName> {
	readonly name: Name;
	/** The chain of the plan that it leads to. */
	readonly root: string;
}

/** The base chains beside those of what decides: of what is staged, and of what is counted for quotas. */
export function besideBases({ staged, quotas }: Pick<HookedPlan, "staged" | "quotas">): readonly LedBase[] {
	return [
		...(staged === undefined ? [] : ledBases(staged, stagedChains)),
		...(quotas === undefined ? [] : ledBases(quotas, quotaChains)),
	];
}

function ledBases<Name extends BaseName>(
	{ roots, egressHook }: Pick<StagedPlan | QuotaPlan, "roots"> & { readonly egressHook?: EgressHook },
	chains: Readonly<Record<"ingress" | "egress" | "leaving" | "forward", Name>>,
): LedBase<Name>[] {
	const egress = egressHook === "postrouting" ? chains.leaving : chains.egress;
	const led = [
		[chains.ingress, roots.ingress],
		[egress, roots.egress],
		[chains.forward, roots.forward],
	] as const;
	return led.flatMap(([name, root]) => (root === undefined ? [] : [{ name, root }]));
}

/** Base chains that not every plan needs. */
export const optionalBases: readonly BaseName[] = [leavingChain, forwardChain, ...stagedNames, ...quotaNames];

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
