/** From where a kind of packet meets an explicit Block: the compiled model asked by regions, not by packets. */

import { addressBits } from "../../../../base/cidr.ts";
import type { Direction, Family, Transport } from "../../../../base/model.ts";
import { interfaceMatches } from "../atom.ts";
import type { CompiledRule } from "../plan.ts";
import { atKind, decidePacket, type NetworkModel, namesOf } from "../program.ts";

/** Packets that differ in the remote address alone; what a rule says of certain source ports does not count. */
export interface PacketKind {
	readonly direction: Direction;
	readonly family: Family;
	readonly protocol: Transport;
	/** The destination port. */
	readonly port: number;
	/** May be "", which no rule names. */
	readonly interface: string;
}

/** Inclusive, as unsigned integers. */
export interface Region {
	readonly first: bigint;
	readonly last: bigint;
}

/**
 * Disjoint regions in rising order, of addresses that no suffix matches. Null where their bounds would be more than `limit`.
 * @param counts whether a Block is one to ask about.
 */
export function blockedRegions(
	model: NetworkModel,
	kind: PacketKind,
	counts: (rule: CompiledRule) => boolean,
	limit: number,
): Region[] | null {
	const { direction, family, protocol, port } = kind;
	// What a suffix names is no region: it is left out.
	const asked = { ...model, [direction]: atKind(model[direction], []) };
	const names = namesOf(model[direction], kind.interface);
	const bounds = new Set<bigint>([0n]);
	for (const atom of model[direction].atoms) {
		if (atom.family !== family || (atom.protocol !== null && atom.protocol !== protocol)) continue;
		if (atom.range !== null && (port < atom.range.first || port > atom.range.last)) continue;
		if (!interfaceMatches(atom.interface, names)) continue;
		for (const { first, last } of [atom, ...atom.holes]) bounds.add(BigInt(first)).add(BigInt(last) + 1n);
		if (bounds.size > limit) return null;
	}
	for (const { match } of model[direction].failsafe) {
		if (match.cidr?.family !== family) continue;
		const { base, prefix } = match.cidr;
		bounds.add(base).add(base + (1n << BigInt(addressBits(family) - prefix)));
	}
	const end = 1n << BigInt(addressBits(family));
	const starts = [...bounds].filter((bound) => bound < end).sort((a, b) => (a < b ? -1 : 1));
	const regions: Region[] = [];
	for (const [index, first] of starts.entries()) {
		const { action, rule } = decidePacket(asked, { ...kind, address: first, source: null });
		if (action !== "Block" || rule === null || rule.index < 0 || !counts(rule)) continue;
		const last = (starts[index + 1] ?? end) - 1n;
		const previous = regions.at(-1);
		if (previous !== undefined && previous.last + 1n === first) regions.splice(-1, 1, { ...previous, last });
		else regions.push({ first, last });
	}
	return regions;
}
