/**
 * Names that two sides know: who makes an object in our table, or a log record, and who finds it again by its name. A
 * table outlives the daemon, so another name for a thing is another thing to the next version.
 */

import type { Direction, Family } from "../../base/model.ts";

/** What our log prefixes begin with; the id of a rule follows. */
export const logPrefix = "pw:";

/** Named counter of every packet that a rule decided. */
export function ruleCounter(id: string): string {
	return `c_${id}`;
}

/** Named counter of the packets of a rule that were handed to NFLOG. */
export function ruleLogCounter(id: string): string {
	return `l_${id}`;
}

/** What stands for a rule's id in the log of packets in the midst of untracked connections; no rule has it. */
export const midstreamId = "midstream";
export const midstreamCounter = "midstream_egress";

/** Named counter of those packets of a rule that were forwarded; its own counter has them too. */
export function forwardedCounter(id: string): string {
	return `f_${id}`;
}

/** Where a packet is judged that this host neither receives nor sends itself. */
export const forwardChain = "forward" as const;

/** What is counted apart, and ended apart: both directions of the host's own flows, and what it forwards. */
export type Seen = Direction | typeof forwardChain;

/** Counts packets that belong to no flow. */
export function invalidCounter(seen: Seen): string {
	return `invalid_${seen}`;
}

/** Counts packets of flows that a Block has ended. */
export function refusedCounter(seen: Seen): string {
	return `cut_${seen}`;
}

/** An empty chain that says whose table it is; older nft has no comments on tables. */
export const ownershipMarker = "owned_by_portward";

/** Judges what leaves where policies name its interface: only behind all of `output` is it final. */
export const leavingChain = "leaving" as const;

/** Where packets are judged as if staged policies were in force, once they have passed what is; nothing is dropped there. */
export const stagedChains = {
	ingress: "staged_ingress",
	egress: "staged_egress",
	leaving: "staged_leaving",
	forward: "staged_forward",
} as const;

/** Where packets are counted for quotas, also those of open flows, behind all that decides. */
export const quotaChains = {
	ingress: "quota_ingress",
	egress: "quota_egress",
	leaving: "quota_leaving",
	forward: "quota_forward",
} as const;

export type QuotaName = (typeof quotaChains)[keyof typeof quotaChains];

/** The kernel's quota of a rule: with another limit it is another one. @param key [0-9a-f]{16} */
export function quotaObject(key: string, bytes: number): string {
	return `q_${key}_${bytes}`;
}

/** The key of a quota's name; null where it is none of ours. */
export function quotaKey(object: string): string | null {
	return /^q_([0-9a-f]{16})_\d{1,16}$/u.exec(object)?.[1] ?? null;
}

/** Named counter of what came beyond a quota. */
export function overCounter(id: string): string {
	return `over_${id}`;
}

export type StagedName = (typeof stagedChains)[keyof typeof stagedChains];

/** Counts packets of new flows that were judged as if these staged policies were in force. */
export function evaluatedCounter(place: "host" | "guests", direction: Direction, staged: string): string {
	return `evaluated_${place}_${direction}_${staged}`;
}

/** The base chains, by name. */
export type BaseName = Seen | typeof leavingChain | StagedName | QuotaName;

/** The chain between a base chain and a plan's. */
export function rootOf(name: BaseName): string {
	return `root_${name}`;
}

/** What judges beside a base chain while that is exchanged. */
export function movingChain(name: BaseName): string {
	return `moving_${name}`;
}

/** The chain of the table's stable part that drops what belongs to ended connections; empty while there are none. */
export function endedChain(seen: Seen): string {
	return `ended_${seen}`;
}

/** The set of the bridges that lead to other hosts and not to guests, by name. */
export const uplinkSet = "uplinks";

/** The sets of ended forwarded flows: remote address, protocol, remote port, the guest's own port. */
export const refusedForwardSets = { 4: "refused_forward4", 6: "refused_forward6" } as const;

/** Of those that came by a published port, with that behind. */
export const publishedSets = { 4: "refused_published4", 6: "refused_published6" } as const;

/** Where new flows are counted apart. */
export interface SeenPlace {
	readonly direction: Direction;
	readonly forwarded: boolean;
	readonly family: Family;
}

/** Flows of protocols that have ports or types, and all others. */
export type SeenKind = "named" | "other";

/** Elements that the kernel keeps of flows that were seen: of what comes later than the last, only the number is known. */
export const seenSizes = {
	own: { named: 65_536, other: 1024 },
	forward: { named: 16_384, other: 1024 },
} as const;

/** Seconds after its last new flow for which the kernel keeps an element. */
export const seenTimeout = 300;

/** The set of flows that were seen. A set of another size is another set. */
export function seenSet({ direction, forwarded, family }: SeenPlace, kind: SeenKind): string {
	const size = seenSizes[forwarded ? "forward" : "own"][kind];
	return `${seenPrefix}${forwarded ? "forward_" : ""}${direction}${family}_${kind}_${size}`;
}

const seenPrefix = "seen_";
const limitPrefix = "limit_";

/** What the names of a limit's sets begin with, behind which the family stands. @param content [0-9a-f]{16} */
export function limitSet(content: string): string {
	return `${limitPrefix}${content}`;
}

/** Whether a set is one that rules, or the daemon, fill: such names outlive epochs, and so do the elements. */
export function isFilledSet(name: string): boolean {
	return (
		[seenPrefix, limitPrefix, servicePrefix].some((prefix) => name.startsWith(prefix)) ||
		/^sent[46]_/.test(name)
	);
}

const servicePrefix = "units_";
const notedPrefix = "sent";

/** The set of the control groups of one unit, or of several. Names outlive epochs, and so do the elements. @param units their digest, [0-9a-f]{16} */
export function serviceSet(units: string): string {
	return `${servicePrefix}${units}`;
}

/** The set of the flows that a unit began just now. @param unit as of serviceSet */
export function notedSet(family: Family, unit: string): string {
	return `${notedPrefix}${family}_${unit}`;
}

/** Counts new flows for which a set had no room. */
export function seenLostCounter(seen: Seen): string {
	return `unseen_${seen}`;
}

/** Chains that judge what is forwarded while the table is not back: named here, as a guard is loaded over any table. */
export const guardChains = {
	toGuest: "guard_to_guest",
	published: "guard_published",
	fromGuest: "guard_from_guest",
	entry: "guard_forward",
} as const;

const planPrefixes = { set: "s", map: "m", chain: "x" } as const;

/** The kinds of objects that a plan names by their content. */
export type ContentKind = keyof typeof planPrefixes;

/** @param content [0-9a-f]{16} */
export function planName(kind: ContentKind, content: string): string {
	return `${planPrefixes[kind]}_${content}`;
}

/** Whether a chain is a plan's. */
export function isPlanChain(name: string): boolean {
	return name.startsWith(`${planPrefixes.chain}_`);
}
