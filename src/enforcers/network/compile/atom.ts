/**
 * An atom is one cell of a rule's cross product: direction × interface ×
 * protocol × ports × address block, with the rule's action. Precedence is
 * defined between atoms.
 */

import type { Cidr, Family, InterfaceMatch, PortRange, Protocol } from "../../../base/model.ts";
import { compareStrictness, type Order } from "../../../base/precedence.ts";
import { protocolFits } from "../../../base/protocol.ts";
import { type Suffix, suffixContains, suffixContainsBlock, suffixMatches } from "../../../base/suffix.ts";
import { blockText, type NetworkRule, type PortMatch } from "../model.ts";
import type { Inside } from "./inside.ts";
import type { CompiledRule } from "./plan.ts";
import { type Sender, senderContains } from "./sender.ts";

/** An address as an unsigned integer: a number for IPv4 (fast), a bigint for IPv6. */
export type Address = number | bigint;

/** How narrowly an atom names the protocol: P names ports or an ICMP type, T only the protocol, W neither. */
export type Layer = "P" | "T" | "W";

/** Inclusive. */
export interface AddressRange {
	readonly first: Address;
	readonly last: Address;
}

export interface Atom {
	/** Position in the direction's rules, which are sorted by policy name and rule index: lower is named first. */
	readonly rank: number;
	readonly rule: CompiledRule;
	/** Null: any interface. */
	readonly interface: InterfaceMatch | null;
	/** Absent: whoever sends. */
	readonly sender?: Sender;
	/** Null: any protocol. */
	readonly protocol: Protocol | null;
	/** Destination ports. Null: every port, port 0 included. */
	readonly range: PortRange | null;
	/** What the transport header begins with: the source port, or ICMP's type. Null: anything. */
	readonly source: PortRange | null;
	readonly layer: Layer;
	readonly family: Family;
	/** Prefix length; -1 for "any address", which is broader than /0 because it holds in both families. */
	readonly length: number;
	/** First and last address of the block, holes ignored. */
	readonly first: Address;
	readonly last: Address;
	/** Of the block, the addresses that match it alone. Absent: all. */
	readonly suffix?: Suffix;
	/** All suffixes around it, where it is part of a program that tells some apart. */
	readonly inside?: Inside;
	/** Blocks inside this one that the atom does not match; precedence ignores them. */
	readonly holes: readonly AddressRange[];
}

/** Linux interface names are at most this many bytes (IFNAMSIZ less the final NUL). */
export const interfaceNameBytes = 15;

/**
 * The same set of interfaces in its one canonical form: `*` alone is any
 * interface, and a prefix as long as a name can be is that name.
 */
export function canonicalInterface(match: InterfaceMatch): InterfaceMatch | null {
	if (!match.prefix) return match;
	if (match.name === "") return null;
	return match.name.length >= interfaceNameBytes ? { name: match.name, prefix: false } : match;
}

/** `eth*`, `eth0`, or "" for any: equal exactly when the interface sets are. */
export function interfaceKey(match: InterfaceMatch | null): string {
	return match === null ? "" : match.prefix ? `${match.name}*` : match.name;
}

/** Orders nested interface matches: any < shorter prefix < longer prefix < literal. */
export function interfaceDepth(match: InterfaceMatch | null): number {
	if (match === null) return -1;
	return match.prefix ? match.name.length : interfaceNameBytes + 1;
}

/** @param names all that a packet's interface goes by: a VRF's member is its VRF, too. */
export function interfaceMatches(match: InterfaceMatch | null, names: readonly string[]): boolean {
	if (match === null) return true;
	return names.some((name) => (match.prefix ? name.startsWith(match.name) : name === match.name));
}

/** Whether `outer` holds every interface that `inner` holds. Both canonical. */
export function interfaceContains(outer: InterfaceMatch | null, inner: InterfaceMatch | null): boolean {
	if (outer === null) return true;
	if (inner === null) return false;
	if (outer.prefix) return inner.name.startsWith(outer.name);
	return !inner.prefix && inner.name === outer.name;
}

function protocolContains(outer: Atom, inner: Atom): boolean {
	if (outer.protocol === null) return true;
	if (outer.protocol !== inner.protocol) return false;
	return rangeContains(outer.range, inner.range) && rangeContains(outer.source, inner.source);
}

function rangeContains(outer: PortRange | null, inner: PortRange | null): boolean {
	if (outer === null) return true;
	return inner !== null && outer.first <= inner.first && outer.last >= inner.last;
}

/** 0 for atoms that name a source port or an ICMP type, 1 for other ports, 2 for neither: the order of attribution. */
function breadthOfPorts({ source, layer }: Atom): number {
	return source !== null ? 0 : layer === "P" ? 1 : 2;
}

function addressContains(outer: Atom, inner: Atom): boolean {
	const { suffix } = outer;
	if (suffix !== undefined) {
		return inner.suffix === undefined
			? suffixContainsBlock(suffix, BigInt(inner.first), inner.length)
			: suffixContains(suffix, inner.suffix);
	}
	return outer.length <= inner.length && outer.first <= inner.first && outer.last >= inner.last;
}

/** Set inclusion of match spaces, holes ignored; both of one direction and family. */
export function contains(outer: Atom, inner: Atom): boolean {
	return (
		interfaceContains(outer.interface, inner.interface) &&
		senderContains(outer.sender, inner.sender) &&
		addressContains(outer, inner) &&
		protocolContains(outer, inner)
	);
}

/** Precedence between atoms of one direction and family, as `explain` asks it. */
export const atomOrder: Order<Atom> = {
	strictlyContains: (outer, inner) => contains(outer, inner) && !contains(inner, outer),
	action: (atom) => atom.rule.action,
	compare: (a, b) => breadthOfPorts(a) - breadthOfPorts(b) || a.rank - b.rank,
};

/** Of two atoms with equal match spaces, the one that decides: the stricter, then the one named first. */
export function decidesBefore(a: Atom, b: Atom): boolean {
	return (compareStrictness(b.rule.action, a.rule.action) || a.rank - b.rank) < 0;
}

const anyBlock: Readonly<Record<Family, { first: Address; last: Address }>> = {
	4: { first: 0, last: 2 ** 32 - 1 },
	6: { first: 0n, last: 2n ** 128n - 1n },
};

const noHoles: Atom["holes"] = [];

/** The atoms of each rank, in their order. */
export function byRank(atoms: readonly Atom[]): ReadonlyMap<number, readonly Atom[]> {
	const found = new Map<number, Atom[]>();
	let latest: Atom[] = [];
	for (const atom of atoms) {
		// Those of one rule stand together.
		if (latest[0]?.rank !== atom.rank) latest = found.get(atom.rank) ?? [];
		if (latest.length === 0) found.set(atom.rank, latest);
		latest.push(atom);
	}
	return found;
}

/** First and last address of a block. */
function bounds(cidr: Cidr): { first: Address; last: Address } {
	if (cidr.family === 6) {
		return { first: cidr.base, last: cidr.base + (1n << BigInt(128 - cidr.prefix)) - 1n };
	}
	const first = Number(cidr.base);
	return { first, last: first + 2 ** (32 - cidr.prefix) - 1 };
}

/** Whether an address lies in the atom's block, matches its suffix, and lies in none of its holes. */
export function matchesAddress(atom: Atom, address: Address): boolean {
	if (address < atom.first || address > atom.last) return false;
	if (atom.suffix !== undefined && !suffixMatches(atom.suffix, BigInt(address))) return false;
	return !atom.holes.some((hole) => address >= hole.first && address <= hole.last);
}

/** An atom's addresses as people read them: ADDRESS/PREFIX, or ADDRESS/MASK. Not of one of any address. */
export function addressText({ family, length, first, suffix }: Atom): string {
	return blockText({
		cidr: { family, base: BigInt(first), prefix: length },
		...(suffix === undefined ? {} : { suffix }),
	});
}

/** What the holes leave of an atom's block, in rising order. */
export function withoutHoles({ first, last, holes }: Pick<Atom, "first" | "last" | "holes">): AddressRange[] {
	const parts: AddressRange[] = [];
	let from = first;
	for (const hole of holes.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
		if (hole.first > from) parts.push({ first: from, last: step(hole.first, -1) });
		if (hole.last >= from) from = step(hole.last, 1);
	}
	if (from <= last) parts.push({ first: from, last });
	return parts;
}

function step(address: Address, by: 1 | -1): Address {
	return typeof address === "number" ? address + by : address + BigInt(by);
}

/** What an entry says about the beginning of the transport header. */
export function sourceOf({ source, icmpType }: Pick<PortMatch, "source" | "icmpType">): PortRange | null {
	return icmpType === null ? source : { first: icmpType, last: icmpType };
}

/**
 * The cross product of a rule's fields, without repetitions of one peer, interface or port entry.
 * @param senders those that the rule names, see sendersOf
 */
export function expandRule(
	rule: NetworkRule,
	compiled: CompiledRule,
	rank: number,
	senders: readonly Sender[] | null = null,
): Atom[] {
	const interfaces = new Map<string, InterfaceMatch | null>();
	for (const match of rule.interfaces) {
		const canonical = canonicalInterface(match);
		interfaces.set(interfaceKey(canonical), canonical);
	}
	if (interfaces.size === 0) interfaces.set("", null);

	const ports = new Map<string, Ports>();
	for (const entry of rule.ports) {
		const { protocol, range } = entry;
		const source = sourceOf(entry);
		const key = `${protocol} ${range?.first} ${range?.last} ${source?.first} ${source?.last}`;
		ports.set(key, { protocol, range, source, layer: range === null && source === null ? "T" : "P" });
	}
	if (ports.size === 0) ports.set("", { protocol: null, range: null, source: null, layer: "W" });

	const blocks: Block[] = rule.peers.map(({ cidr, suffix, except }) => {
		const { family, prefix: length } = cidr;
		const { first, last } = bounds(cidr);
		const holes = except.length === 0 ? noHoles : except.map(bounds);
		const block = { family, length, first, last, holes };
		return suffix === undefined ? block : { ...block, suffix };
	});
	if (blocks.length === 0) {
		for (const family of [4, 6] as const) blocks.push({ family, length: -1, ...anyBlock[family], holes: [] });
	}

	const atoms = atomsOf(interfaces.values(), ports.values(), blocks, compiled, rank);
	return senders === null ? atoms : senders.flatMap((sender) => atoms.map((atom) => ({ ...atom, sender })));
}

type Ports = Pick<Atom, "protocol" | "range" | "source" | "layer">;
type Block = Pick<Atom, "family" | "length" | "first" | "last" | "suffix" | "holes">;

function atomsOf(
	interfaces: Iterable<InterfaceMatch | null>,
	ports: Iterable<Ports>,
	blocks: readonly Block[],
	compiled: CompiledRule,
	rank: number,
): Atom[] {
	const entries = [...ports];
	const atoms: Atom[] = [];
	for (const match of interfaces) {
		for (const { protocol, range, source, layer } of entries) {
			for (const { family, length, first, last, suffix, holes } of blocks) {
				if (!protocolFits(protocol, family)) continue;
				// All in one literal: a copy of another object costs more than all else here.
				const atom = {
					rank,
					rule: compiled,
					interface: match,
					protocol,
					range,
					source,
					layer,
					family,
					length,
					first,
					last,
					holes,
				};
				atoms.push(suffix === undefined ? atom : { ...atom, suffix });
			}
		}
	}
	return atoms;
}
