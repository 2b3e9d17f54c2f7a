/**
 * The commands that bring a plan into the kernel. Pure.
 *
 * A transaction that creates a set together with a rule that uses it is not
 * atomic for packets: measured on Linux 6.18, about 50 packets a swap were
 * misjudged at 50 000 packets a second. So every change is made of three: load
 * the new objects while nothing refers to them, swap the two jumps in a tiny
 * transaction, delete what is no longer used. The base chains are made once
 * and never again; they end in nothing, the swapped-in roots hold the verdicts.
 */

import { type Direction, directions } from "../../../base/model.ts";
import {
	add,
	addRules,
	type Command,
	createTable,
	declare,
	flush,
	remove,
} from "../../../kernel/nftables/commands.ts";
import { goto, jump } from "../../../kernel/nftables/expressions.ts";
import type { TableListing } from "../../../kernel/nftables/listing.ts";
import type { Chain, NftObject, Rule } from "../../../kernel/nftables/objects.ts";
import type { NetworkPlan, PlanObject } from "../compile/plan.ts";
import { discovery } from "../compile/render/essentials.ts";
import {
	type BaseName,
	endedChain,
	forwardChain,
	leavingChain,
	ownershipMarker,
	refusedCounter,
	rootOf,
	type Seen,
	uplinkSet,
} from "../names.ts";
import {
	assertBaseChains,
	baseNames,
	besideBases,
	dropBases,
	type HookedPlan,
	optionalBases,
	ownBases,
} from "./base-chains.ts";
import { mutedSets } from "./muted-ports.ts";
import { earlierRefusedSets, refusedForwardedSets, refusedObjects, refusedSets } from "./refused-flows.ts";
import { replaceUplinks, uplinkObject } from "./uplinks.ts";

function chainOf(name: string, rules: readonly Rule[] = []): Chain {
	return { kind: "chain", name, rules };
}

/** What leads to a plan's chains; the last two are empty unless the plan judges what leaves, or what is forwarded. */
const roots = [rootOf("ingress"), rootOf("egress"), rootOf(leavingChain), rootOf(forwardChain)] as const;

const rootNames: ReadonlySet<string> = new Set(roots);

const seen: readonly Seen[] = [...directions, forwardChain];

/** The roots, empty. */
const emptyRoots: readonly Chain[] = roots.map((name) => chainOf(name));

/** The roots that a plan needs, empty. */
export function rootChains(plan: Pick<NetworkPlan, "staged" | "quotas">): readonly Chain[] {
	return [...emptyRoots, ...besideBases(plan).map(({ name }) => chainOf(rootOf(name)))];
}

/** Chains that exist as long as the table does; collecting garbage spares them. */
const skeletonChains: readonly string[] = [
	ownershipMarker,
	"ingress",
	"egress",
	...roots,
	...seen.map(endedChain),
];

/** The marker, what refuses ended flows, and the set of uplinks, which holds these. */
export function stableObjects(uplinks: readonly string[] = []): readonly NftObject[] {
	const ended = seen.map((one) => chainOf(endedChain(one)));
	return [chainOf(ownershipMarker), ...refusedObjects(), ...ended, uplinkObject(uplinks)];
}

/** Puts the marker into a table of ours that lost it. */
export const addMarker: Command = add(chainOf(ownershipMarker));

/** So many of the names that nobody else gives say that a table is ours, though its marker is gone. */
const tellingNames = 3;

/** Whether a table without the marker has what else only ours has. */
export function hasOurChains({ chains, sets }: Pick<TableListing, "chains" | "sets">): boolean {
	const plain = new Set<string>(directions);
	const telling = skeletonChains.filter((name) => !plain.has(name) && chains.includes(name));
	const cuts = [...refusedSets, ...earlierRefusedSets].filter(({ name }) => sets.includes(name));
	return telling.length + cuts.length >= tellingNames;
}

/** Whether a table holds nothing that could be somebody's. */
export function isEmpty({ chains, sets, maps, counters, quotas }: TableListing): boolean {
	return [chains, sets, maps, counters, quotas].every((names) => names.length === 0);
}

/**
 * Begins a transaction that changes our table: it fails as a whole where a table without our marker took its
 * place since we looked.
 */
export const ifOurs: Command = flush("chain", ownershipMarker);

/** Begins a transaction that makes our table: it fails as a whole where somebody made one of that name since we looked. */
export const ifAbsent: Command = createTable;

/** Everything of the table but the base chains: nothing here is reached by a packet yet. */
export const skeleton: Command = declare([...stableObjects(), ...emptyRoots]);

/** Loads objects beside what is there; naming a counter that exists keeps its values. */
export function load(objects: readonly PlanObject[]): Command {
	return declare(objects);
}

/**
 * Points the stable roots at a plan's chains. What an earlier plan judged in the chain for leaving packets it judges
 * there until garbage is collected: a packet that is between the two hooks now meets one of them.
 */
export function swap(plan: LedPlan, before: LedPlan | null = null): readonly Command[] {
	const led = rootRules(plan).flatMap(([root, rule]) => [
		// Those of what is staged, and of quotas, are there only while something is.
		...(rootNames.has(root) ? [] : [add(chainOf(root))]),
		flush("chain", root),
		addRules(root, [rule]),
	]);
	if (plan.forward === undefined) return [...led, flush("chain", rootOf(forwardChain))];
	// Without the elements of a set the kernel takes it without libnftables, which is slow beside thousands of chains.
	if (Bun.deepEquals(before?.forward?.uplinks, plan.forward.uplinks)) return led;
	return [...replaceUplinks(plan.forward.uplinks), ...led];
}

/** What of a plan packets are led to. */
export type LedPlan = HookedPlan & Pick<NetworkPlan, "roots" | "services">;

export function ledBy({ roots, egressHook, services, forward, quotas, staged }: LedPlan): LedPlan {
	return {
		roots,
		...(services === undefined ? {} : { services }),
		...(egressHook === undefined ? {} : { egressHook }),
		...(forward === undefined ? {} : { forward }),
		...(quotas === undefined ? {} : { quotas }),
		...(staged === undefined ? {} : { staged }),
	};
}

/** Whether packets are led alike: names are digests of content, so the same roots are the same ruleset. */
export function leadAlike(a: LedPlan, b: LedPlan): boolean {
	const leads = ({ roots, forward, quotas, staged }: LedPlan) => [
		roots,
		forward?.root,
		forward?.uplinks,
		quotas?.roots,
		staged?.roots,
		staged?.services,
	];
	return Bun.deepEquals(leads(a), leads(b));
}

/** What the roots hold while a plan is in force. */
export function rootRules({
	roots,
	egressHook,
	services,
	forward,
	quotas,
	staged,
}: LedPlan): readonly (readonly [root: string, rule: Rule])[] {
	const egress = goto(roots.egress);
	const noting = staged?.services?.noting ?? services?.noting;
	const rule = (name: BaseName, first: Rule) => [rootOf(name), first] as const;
	return [
		rule("ingress", goto(roots.ingress)),
		...(egressHook === "postrouting"
			? [rule("egress", noting === undefined ? "accept" : jump(noting)), rule(leavingChain, egress)]
			: [rule("egress", noting === undefined ? egress : goto(noting))]),
		...(forward === undefined ? [] : [rule(forwardChain, goto(forward.root))]),
		...besideBases({
			...(staged === undefined ? {} : { staged }),
			...(quotas === undefined ? {} : { quotas }),
		}).map(({ name, root }) => rule(name, goto(root))),
	];
}

/** What stands in for a plan after somebody took it away: the part of the plan that it needs. */
export type GuardedPlan = Pick<NetworkPlan, "defaultDrop" | "failsafe" | "egressHook" | "guard" | "forward">;

/**
 * Closes the directions whose unmatched packets are dropped, and in the others
 * what the Blocks say, with nothing but a few plain rules, so that it loads in
 * milliseconds: after somebody flushed the table it stands in until the
 * policies are back. Established connections, IPv6 neighbour discovery and
 * failsafe flows go on, or the host would be off its link and out of reach.
 */
export function guard(plan: GuardedPlan): readonly Command[] {
	const { defaultDrop, failsafe, egressHook, forward } = plan;
	const counters = failsafe.map(({ counter }) => add({ kind: "counter", name: counter }));
	const closed = directions.flatMap((direction) => {
		const drops = defaultDrop[direction] ? ["drop"] : (plan.guard?.[direction] ?? []);
		if (drops.length === 0) return [];
		const root = rootOf(direction === "egress" && egressHook === "postrouting" ? leavingChain : direction);
		return addRules(root, [...guardExemptions(direction, failsafe), ...drops]);
	});
	const emptied = roots.map((root) => flush("chain", root));
	const bases = assertBaseChains(ownBases(plan));
	return [skeleton, ...counters, ...emptied, ...closed, ...guardForward(forward), ...bases];
}

/** The chains of the guard for what is forwarded may be there, from the last time. */
function guardForward(forward: NetworkPlan["forward"]): readonly Command[] {
	const last = forward?.guard.at(-1);
	if (forward === undefined || last === undefined) return [];
	return [
		...replaceUplinks(forward.uplinks),
		...forward.guard.flatMap(({ name, rules }) => [
			add(chainOf(name)),
			flush("chain", name),
			addRules(name, rules),
		]),
		addRules(rootOf(forwardChain), [goto(last.name)]),
	];
}

/** What a root holds before it drops: failsafe flows and neighbour discovery pass. */
function guardExemptions(direction: Direction, failsafe: NetworkPlan["failsafe"]): string[] {
	const accepted = failsafe.filter((rule) => rule.direction === direction).map(({ text }) => text);
	return [
		discovery,
		// A packet that belongs to no flow is no new one.
		...(accepted.length === 0 ? [] : ["ct state invalid drop", ...accepted]),
	];
}

/**
 * Deletes everything that is neither the skeleton's nor among `keep`. Garbage
 * chains are emptied first, which undoes every reference, so the order of the
 * rest does not matter. Empty when there is nothing to delete.
 */
export function collectGarbage(
	present: TableListing,
	keep: ReadonlySet<string>,
	plan: HookedPlan,
): readonly Command[] {
	const needed = baseNames(plan);
	const spared = new Set<string>([
		...optionalBases,
		...needed.map(rootOf),
		uplinkSet,
		...skeletonChains,
		...[...refusedSets, ...refusedForwardedSets, ...mutedSets].map(({ name }) => name),
		...seen.map(refusedCounter),
	]);
	const garbage = (names: readonly string[]) => names.filter((name) => !keep.has(name) && !spared.has(name));
	const chains = garbage(present.chains);
	const unused = optionalBases.filter((name) => !needed.includes(name) && present.chains.includes(name));
	return [
		...unused.flatMap((name) => [flush("chain", rootOf(name)), ...dropBases([name])]),
		...chains.map((name) => flush("chain", name)),
		...garbage(present.maps).map((name) => remove("map", name)),
		...garbage(present.sets).map((name) => remove("set", name)),
		...chains.map((name) => remove("chain", name)),
		...garbage(present.counters).map((name) => remove("counter", name)),
		...garbage(present.quotas).map((name) => remove("quota", name)),
	];
}
