/**
 * The commands that bring a plan into the kernel, as pure text.
 *
 * A transaction that creates a set together with a rule that uses it is not
 * atomic for packets: measured on Linux 6.18, about 50 packets a swap were
 * misjudged at 50 000 packets a second. So every change is made of three: load
 * the new objects while nothing refers to them, swap the two jumps in a tiny
 * transaction, delete what is no longer used. The base chains are made once
 * and never again; they end in nothing, the swapped-in roots hold the verdicts.
 */

import type { Direction } from "../../../base/model.ts";
import type { EgressHook, NetworkPlan, NftObject } from "../compile/plan.ts";
import { endedChain } from "../compile/render/render.ts";
import { assertBaseChains, baseNames, dropBases, leavingChain, rootOf } from "./base-chains.ts";
import { mutedSets } from "./muted-ports.ts";
import { earlierRefusedSets, refusedCounter, refusedObjects, refusedSets } from "./refused-flows.ts";

/** What leads to a plan's chains; the last one is empty unless the plan judges what leaves there. */
const roots = ["root_ingress", "root_egress", rootOf(leavingChain)] as const;

/** An empty chain that says whose table it is; older nft has no comments on tables. */
export const ownershipMarker = "owned_by_portward";

/** Chains that exist as long as the table does; collecting garbage spares them. */
export const skeletonChains: readonly string[] = [
	ownershipMarker,
	"ingress",
	"egress",
	...roots,
	endedChain("ingress"),
	endedChain("egress"),
];

const directions: readonly Direction[] = ["ingress", "egress"];

/** The marker, and what refuses ended flows, as they stand inside the table. */
export function stableObjects(): string {
	const chain = (name: string) => `\tchain ${name} {\n\t}\n`;
	const ended = directions.map((direction) => chain(endedChain(direction))).join("");
	return chain(ownershipMarker) + refusedObjects() + ended;
}

/** Puts the marker into a table of ours that lost it. */
export function addMarker(table: string): string {
	return `add chain inet ${table} ${ownershipMarker}\n`;
}

/** So many of the names that nobody else gives say that a table is ours, though its marker is gone. */
const tellingNames = 3;

/** Whether a table without the marker has what else only ours has. */
export function hasOurChains({ chains, sets }: Pick<TableListing, "chains" | "sets">): boolean {
	const plain = new Set<string>(directions);
	const telling = skeletonChains.filter((name) => !plain.has(name) && chains.includes(name));
	const cuts = [...refusedSets, ...earlierRefusedSets].filter(({ name }) => sets.includes(name));
	return telling.length + cuts.length >= tellingNames;
}

/**
 * Begins a transaction that changes our table: it fails as a whole where a table without our marker took its
 * place since we looked.
 */
export function ifOurs(table: string): string {
	return `flush chain inet ${table} ${ownershipMarker}\n`;
}

/** Begins a transaction that makes our table: it fails as a whole where somebody made one of that name since we looked. */
export function ifAbsent(table: string): string {
	return `create table inet ${table}\n`;
}

/** Everything of the table but the base chains: nothing here is reached by a packet yet. */
export function skeleton(table: string): string {
	return `table inet ${table} {\n${stableObjects()}${roots.map((name) => `\tchain ${name} {\n\t}\n`).join("")}}\n`;
}

/** Loads objects beside what is there; naming a counter that exists keeps its values. */
export function load(table: string, objects: readonly NftObject[]): string {
	return `table inet ${table} {\n${objects.map((object) => object.text).join("")}}\n`;
}

/**
 * Points the stable roots at a plan's chains. What an earlier plan judged in the chain for leaving packets it judges
 * there until garbage is collected: a packet that is between the two hooks now meets one of them.
 */
export function swap(table: string, plan: Pick<NetworkPlan, "roots" | "egressHook">): string {
	return rootRules(plan)
		.map(([root, rule]) => `flush chain inet ${table} ${root}\nadd rule inet ${table} ${root} ${rule}\n`)
		.join("");
}

/** What the roots hold while a plan is in force. */
export function rootRules({
	roots,
	egressHook,
}: Pick<NetworkPlan, "roots" | "egressHook">): readonly (readonly [root: string, rule: string])[] {
	const ingress = [rootOf("ingress"), `goto ${roots.ingress}`] as const;
	const egress = `goto ${roots.egress}`;
	if (egressHook !== "postrouting") return [ingress, [rootOf("egress"), egress]];
	return [ingress, [rootOf("egress"), "accept"], [rootOf(leavingChain), egress]];
}

/** What stands in for a plan after somebody took it away: the part of the plan that it needs. */
export type GuardedPlan = Pick<NetworkPlan, "defaultDrop" | "failsafe" | "egressHook" | "guard">;

/**
 * Closes the directions whose unmatched packets are dropped, and in the others
 * what the Blocks say, with nothing but a few plain rules, so that it loads in
 * milliseconds: after somebody flushed the table it stands in until the
 * policies are back. Established connections, IPv6 neighbour discovery and
 * failsafe flows go on, or the host would be off its link and out of reach.
 */
export function guard(table: string, plan: GuardedPlan): string {
	const { defaultDrop, failsafe, egressHook } = plan;
	const counters = failsafe.map(({ counter }) => `add counter inet ${table} ${counter}\n`).join("");
	const closed = directions
		.map((direction) => {
			const drops = defaultDrop[direction] ? ["drop"] : (plan.guard?.[direction] ?? []);
			const rules = drops.length === 0 ? [] : [...guardExemptions(direction, failsafe), ...drops];
			const root = rootOf(direction === "egress" && egressHook === "postrouting" ? leavingChain : direction);
			return rules.map((rule) => `add rule inet ${table} ${root} ${rule}\n`).join("");
		})
		.join("");
	const emptied = roots.map((root) => `flush chain inet ${table} ${root}\n`).join("");
	return skeleton(table) + counters + emptied + closed + assertBaseChains(table, baseNames(egressHook));
}

/** What a root holds before it drops: failsafe flows and neighbour discovery pass. */
function guardExemptions(direction: Direction, failsafe: NetworkPlan["failsafe"]): string[] {
	const accepted = failsafe.filter((rule) => rule.direction === direction).map(({ text }) => text);
	return [
		"icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
		// A packet that belongs to no flow is no new one.
		...(accepted.length === 0 ? [] : ["ct state invalid drop", ...accepted]),
	];
}

/** What the kernel holds in our table, by name. */
export interface TableListing {
	/** The kernel's number of the table; absent where nobody asked for it. */
	readonly handle?: number;
	readonly chains: readonly string[];
	/** Of the base chains. */
	readonly priorities?: Readonly<Record<string, number>>;
	readonly sets: readonly string[];
	readonly maps: readonly string[];
	readonly counters: readonly string[];
}

/**
 * Deletes everything that is neither the skeleton's nor among `keep`. Garbage
 * chains are emptied first, which undoes every reference, so the order of the
 * rest does not matter. "" when there is nothing to delete.
 */
export function collectGarbage(
	table: string,
	present: TableListing,
	keep: ReadonlySet<string>,
	egressHook: EgressHook,
): string {
	const spared = new Set<string>([
		leavingChain,
		...skeletonChains,
		...[...refusedSets, ...mutedSets].map(({ name }) => name),
		...directions.map(refusedCounter),
	]);
	const garbage = (names: readonly string[]) => names.filter((name) => !keep.has(name) && !spared.has(name));
	const chains = garbage(present.chains);
	const line = (verb: string) => (name: string) => `${verb} inet ${table} ${name}\n`;
	const unused = egressHook !== "postrouting" && present.chains.includes(leavingChain);
	return [
		...(unused
			? [`flush chain inet ${table} ${rootOf(leavingChain)}\n`, dropBases(table, [leavingChain])]
			: []),
		...chains.map(line("flush chain")),
		...garbage(present.maps).map(line("delete map")),
		...garbage(present.sets).map(line("delete set")),
		...chains.map(line("delete chain")),
		...garbage(present.counters).map(line("delete counter")),
	].join("");
}

/** Whether the names of a VRF's members load; made and deleted in one transaction. */
export function probeMembers(scratch: string): string {
	return (
		`add table inet ${scratch}\n` +
		`add chain inet ${scratch} c\n` +
		`add rule inet ${scratch} c meta sdifname "x" accept\n` +
		`delete table inet ${scratch}\n`
	);
}

/** Whether concatenated interval maps, maps of counters by keys under a netmask, and the names of a VRF's members load; made and deleted in one transaction, so that nobody ever sees it. */
export function probeConcatenation(scratch: string): string {
	return (
		`add table inet ${scratch}\n` +
		`add map inet ${scratch} m { type ipv4_addr . inet_proto . inet_service : verdict; flags interval; }\n` +
		`add element inet ${scratch} m { 192.0.2.0/24 . 6 . 1-2 : drop }\n` +
		`add map inet ${scratch} h { type ipv4_addr . inet_proto . inet_service : counter; size 1; }\n` +
		`add chain inet ${scratch} c\n` +
		`add rule inet ${scratch} c counter name ip saddr & 255.255.255.0 . meta l4proto . th dport map @h accept\n` +
		`add rule inet ${scratch} c meta sdifname "x" accept\n` +
		`delete table inet ${scratch}\n`
	);
}
