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
import { endedChain, forwardChain, refusedCounter, refusedForwardSets } from "../names.ts";

/** One flow that is refused. `remote` is a canonical address of its family. */
export interface CutFlow {
	readonly family: Family;
	readonly remote: string;
	/** IP protocol number, 0..255. */
	readonly protocol: number;
	readonly remotePort: number;
	readonly localPort: number;
	/** Where it is refused; absent: on every interface. */
	readonly interfaces?: readonly string[];
}

/** `everywhere`: remote address, protocol, remote port, local port. `interface`: the same behind an interface's name. */
export type RefusedKind = "everywhere" | "interface";

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

/** What earlier versions called theirs; a daemon takes over what they hold. */
export const earlierRefusedSets: readonly RefusedSet[] = [
	{ name: "cut4", family: 4, kind: "everywhere" },
	{ name: "cut6", family: 6, kind: "everywhere" },
];

/** Elements of one set. */
export const refusedSetSize = 65_536;

/** The sets, empty, and their counters. */
export function refusedObjects(): readonly NftObject[] {
	const sets = refusedSets.map(({ name, family, kind }): NftObject => {
		const link = kind === "interface" ? interfaceType : "";
		const type = concatenation(link, addressType(family), protocolType, portType, portType);
		return { kind: "set", name, type, size: refusedSetSize, keys: "" };
	});
	const forwarded = ([4, 6] as const).map((family): NftObject => {
		const type = concatenation(addressType(family), protocolType, portType, portType);
		return { kind: "set", name: refusedForwardSets[family], type, size: refusedSetSize, keys: "" };
	});
	const counters = [...directions, forwardChain].map(
		(seen): NftObject => ({ kind: "counter", name: refusedCounter(seen) }),
	);
	return [...sets, ...forwarded, ...counters];
}

/**
 * Replaces the refused tuples by `flows`. Packets are held against them only where there are some: every new flow
 * would pay for looking into an empty set.
 */
export function replaceRefused(flows: readonly CutFlow[]): readonly Command[] {
	const filled = refusedSets.map((set) => ({ set, elements: elementsOf(set, flows) }));
	const sets = filled.flatMap(({ set: { name }, elements }) =>
		elements.length === 0 ? [flush("set", name)] : [flush("set", name), addElements(name, elements)],
	);
	const used = filled.filter(({ elements }) => elements.length > 0);
	const chains = directions.flatMap((direction) => {
		const chain = endedChain(direction);
		return [
			flush("chain", chain),
			addRules(
				chain,
				used.map(({ set }) => refusingRule(direction, set)),
			),
		];
	});
	return [...sets, ...chains];
}

function elementsOf({ family, kind }: RefusedSet, flows: readonly CutFlow[]): string[] {
	return flows.flatMap((flow) => {
		if (flow.family !== family || (flow.interfaces !== undefined) !== (kind === "interface")) return [];
		const numbers = [flow.protocol, flow.remotePort, flow.localPort].map(String);
		const tuple = concatenation(flow.remote, ...numbers);
		if (flow.interfaces === undefined) return [tuple];
		// No rule can name another interface, so no flow is refused on one.
		return flow.interfaces
			.filter(isPlainInterface)
			.map((name) => concatenation(quotedInterface(name), tuple));
	});
}

function refusingRule(direction: Direction, { name, family, kind }: RefusedSet): Rule {
	const [side, remote, local, link] =
		direction === "ingress"
			? (["saddr", sourcePort, destinationPort, "iifname"] as const)
			: (["daddr", destinationPort, sourcePort, "oifname"] as const);
	const address = addressKey(family, side);
	const key = concatenation(kind === "interface" ? link : "", address, protocolKey, remote, local);
	return inSet(key, name, `${counted(refusedCounter(direction))} drop`);
}
