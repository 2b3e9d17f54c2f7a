/** The flows that a Block has ended, as the sets in our table that refuse their packets. Pure. */

import { type Direction, directions, type Family } from "../../../base/model.ts";
import { isPlainInterface } from "../../../document/iface.ts";
import { addElements, addRules, type Command, flush } from "../../../kernel/nftables/commands.ts";
import {
	addressKey,
	addressType,
	concatenation,
	counted,
	destinationPort,
	inSet,
	interfaceType,
	portType,
	protocolKey,
	protocolType,
	quotedInterface,
	sourcePort,
} from "../../../kernel/nftables/expressions.ts";
import type { NftObject, Rule } from "../../../kernel/nftables/objects.ts";
import {
	endedChain,
	forwardChain,
	publishedSets,
	refusedCounter,
	refusedForwardSets,
	type Seen,
} from "../names.ts";

/** One flow that is refused. `remote` is a canonical address of its family. */
export interface CutFlow {
	readonly family: Family;
	readonly remote: string;
	/** IP protocol number, 0..255. */
	readonly protocol: number;
	readonly remotePort: number;
	/** Of a forwarded flow: the guest's own. */
	readonly localPort: number;
	/** Where it is refused; absent: on every interface. Of a forwarded flow nobody asks. */
	readonly interfaces?: readonly string[];
	readonly forwarded?: true;
	/** Of a forwarded flow: the published port that it came by, where that is not the guest's own. */
	readonly hostPort?: number;
}

/**
 * `everywhere`: remote address, protocol, remote port, local port. `interface`: the same behind an interface's name.
 * `forwarded`: as everywhere, of flows to and from guests. `published`: the same before the published port; no packet is
 * held against it, but a daemon that starts has to know what the flow was let in by.
 */
export type RefusedKind = "everywhere" | "interface" | "forwarded" | "published";

export interface RefusedSet {
	readonly name: string;
	readonly family: Family;
	readonly kind: RefusedKind;
}

export const refusedSets: readonly RefusedSet[] = [
	{ name: "refused4", family: 4, kind: "everywhere" },
	{ name: "refused6", family: 6, kind: "everywhere" },
	{ name: "refused_if4", family: 4, kind: "interface" },
	{ name: "refused_if6", family: 6, kind: "interface" },
];

/** Of flows to and from guests. A flow that is in a set of the second kind is in one of the first as well. */
export const refusedForwardedSets: readonly RefusedSet[] = ([4, 6] as const).flatMap(
	(family): RefusedSet[] => [
		{ name: publishedSets[family], family, kind: "published" },
		{ name: refusedForwardSets[family], family, kind: "forwarded" },
	],
);

/** What earlier versions called theirs; a daemon takes over what they hold. */
export const earlierRefusedSets: readonly RefusedSet[] = [
	{ name: "cut4", family: 4, kind: "everywhere" },
	{ name: "cut6", family: 6, kind: "everywhere" },
];

/** Elements of one set. */
export const refusedSetSize = 65_536;

/** The sets, empty, and their counters. */
export function refusedObjects(): readonly NftObject[] {
	const sets = [...refusedSets, ...refusedForwardedSets].map(({ name, family, kind }): NftObject => {
		const link = kind === "interface" ? interfaceType : "";
		const port = kind === "published" ? portType : "";
		const type = concatenation(link, addressType(family), protocolType, portType, portType, port);
		return { kind: "set", name, type, size: refusedSetSize, keys: "" };
	});
	const counters = [...directions, forwardChain].map(
		(seen): NftObject => ({ kind: "counter", name: refusedCounter(seen) }),
	);
	return [...sets, ...counters];
}

/**
 * Replaces the refused tuples by `flows`. Packets are held against them only where there are some: every new flow
 * would pay for looking into an empty set.
 */
export function replaceRefused(flows: readonly CutFlow[]): readonly Command[] {
	const filled = [...refusedSets, ...refusedForwardedSets].map((set) => ({
		set,
		elements: elementsOf(set, flows),
	}));
	const sets = filled.flatMap(({ set: { name }, elements }) =>
		elements.length === 0 ? [flush("set", name)] : [flush("set", name), addElements(name, elements)],
	);
	const used = filled.flatMap(({ set, elements }) => (elements.length > 0 ? [set] : []));
	const own = used.filter(({ kind }) => kind === "everywhere" || kind === "interface");
	const forwarded = used.filter(({ kind }) => kind === "forwarded");
	const chains = directions.flatMap((direction) => refill(direction, own, [direction]));
	// A guest's packets and those to it come by the same chain.
	return [...sets, ...chains, ...refill(forwardChain, forwarded, directions)];
}

function refill(seen: Seen, sets: readonly RefusedSet[], refusing: readonly Direction[]): readonly Command[] {
	const chain = endedChain(seen);
	const rules = sets.flatMap((set) => refusing.map((direction) => refusingRule(seen, direction, set)));
	return [flush("chain", chain), addRules(chain, rules)];
}

function elementsOf({ family, kind }: RefusedSet, flows: readonly CutFlow[]): string[] {
	return flows.flatMap((flow) => {
		if (flow.family !== family || !kindsOf(flow).includes(kind)) return [];
		const ports = kind === "published" ? [flow.localPort, flow.hostPort] : [flow.localPort];
		const tuple = concatenation(flow.remote, ...[flow.protocol, flow.remotePort, ...ports].map(String));
		if (kind !== "interface" || flow.interfaces === undefined) return [tuple];
		// No rule can name another interface, so no flow is refused on one.
		return flow.interfaces
			.filter(isPlainInterface)
			.map((name) => concatenation(quotedInterface(name), tuple));
	});
}

function kindsOf({ forwarded, hostPort, interfaces }: CutFlow): readonly RefusedKind[] {
	if (forwarded) return hostPort === undefined ? ["forwarded"] : ["forwarded", "published"];
	return [interfaces === undefined ? "everywhere" : "interface"];
}

function refusingRule(seen: Seen, direction: Direction, { name, family, kind }: RefusedSet): Rule {
	const [side, remote, local, link] =
		direction === "ingress"
			? (["saddr", sourcePort, destinationPort, "iifname"] as const)
			: (["daddr", destinationPort, sourcePort, "oifname"] as const);
	const address = addressKey(family, side);
	const key = concatenation(kind === "interface" ? link : "", address, protocolKey, remote, local);
	return inSet(key, name, `${counted(refusedCounter(seen))} drop`);
}
