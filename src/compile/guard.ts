/**
 * A small stand-in for the Blocks of a direction, for the moment after somebody
 * else took the table away: a few plain rules that load in milliseconds however
 * many elements the policies have. It drops all that they block, and where they
 * are too many to be told apart, what lies between: by port above all.
 */

import type { Direction, Family, InterfaceMatch, PortRange, Protocol } from "../policy/model.ts";
import { isTransport, protocolFits, protocolNumber } from "../policy/protocol.ts";
import { intervalText, portsText } from "./address-text.ts";
import { type Address, type Atom, interfaceKey } from "./atom.ts";
import { sourceKey } from "./lookups.ts";
import type { DirectionProgram } from "./program.ts";

/** Inclusive. */
export interface GuardRange<T extends Address> {
	readonly first: T;
	readonly last: T;
}

/** Drops what matches all of it. */
export interface GuardBox {
	/** Null: any interface. */
	readonly interface: InterfaceMatch | null;
	readonly family: Family;
	/** Null: any protocol. */
	readonly protocol: Protocol | null;
	/** Destination ports. Null: any. Sorted and disjoint. */
	readonly ports: readonly GuardRange<number>[] | null;
	/** The source port, or ICMP's type. Null: any. */
	readonly source: PortRange | null;
	/** Of the remote end. Sorted and disjoint. */
	readonly addresses: readonly GuardRange<Address>[];
}

/** Rules of one direction, and intervals in all of them: some 15 ms to load. */
export const maxGuardBoxes = 64;
export const maxGuardIntervals = 512;
/** Port ranges of one rule. */
const maxPortRanges = 64;

const full: Readonly<Record<Family, Address>> = { 4: 2 ** 32 - 1, 6: 2n ** 128n - 1n };

/** How atoms come together into boxes: exactly as they are, then coarser where those are too many. */
type Grouping = (atom: Atom) => string;
const groupings: readonly Grouping[] = [
	({ interface: match, family, protocol, range, source }) =>
		`${interfaceKey(match)} ${family} ${protocol} ${rangeKey(range)} ${rangeKey(source)}`,
	(atom) => `${interfaceKey(atom.interface)} ${atom.family} ${atom.protocol} ${atom.layer}`,
	(atom) => `${atom.family} ${atom.protocol} ${atom.layer}`,
];

function rangeKey(range: PortRange | null): string {
	return range === null ? "any" : portsText(range.first, range.last);
}

/** What the Blocks of a direction may match. Holes are left open; what other rules allow inside a Block is not. */
export function guardBoxes(program: Pick<DirectionProgram, "atoms" | "rules">): GuardBox[] {
	const atoms = program.atoms.filter(
		({ rank, rule, protocol, family }) =>
			(program.rules[rank] ?? rule).action === "Block" && protocolFits(protocol, family),
	);
	let groups: readonly (readonly Atom[])[] = [];
	for (const grouping of groupings) {
		groups = [...Map.groupBy(atoms, grouping).values()];
		if (groups.length <= maxGuardBoxes) break;
	}
	const each = Math.floor(maxGuardIntervals / Math.max(groups.length, 1));
	return groups.flatMap((group) => box(group, each));
}

function box(group: readonly Atom[], maxIntervals: number): GuardBox[] {
	const [first] = group;
	if (first === undefined) return [];
	const same = group.every((atom) => interfaceKey(atom.interface) === interfaceKey(first.interface));
	const oneSource = group.every((atom) => rangeKey(atom.source) === rangeKey(first.source));
	const ranges = group.flatMap((atom) => atom.range ?? []);
	const addresses = cover(group.flatMap(withoutHoles), maxIntervals);
	if (addresses.length === 0) return [];
	return [
		{
			interface: same ? first.interface : null,
			family: first.family,
			protocol: first.protocol,
			ports: ranges.length < group.length ? null : cover(ranges, maxPortRanges),
			source: oneSource ? first.source : null,
			addresses,
		},
	];
}

function withoutHoles({ first, last, holes }: Atom): GuardRange<Address>[] {
	if (holes.length === 0) return [{ first, last }];
	const parts: GuardRange<Address>[] = [];
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

/** At most `limit` ranges that hold all of these; the widest gaps stay open. */
function cover<T extends Address>(ranges: readonly GuardRange<T>[], limit: number): GuardRange<T>[] {
	const sorted = ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
	const merged: { first: T; last: T }[] = [];
	for (const { first, last } of sorted) {
		const before = merged.at(-1);
		if (before === undefined || gap(before.last, first) > 1) merged.push({ first, last });
		else if (last > before.last) before.last = last;
	}
	if (merged.length <= limit) return merged;
	const gaps = merged.slice(1).map(({ first }, i) => gap(merged[i]?.last ?? first, first));
	// As many gaps as there may be stay open; of equal ones the first.
	const widest = gaps.toSorted((a, b) => b - a);
	const least = widest[limit - 2] ?? Number.POSITIVE_INFINITY;
	let equal = limit - 1 - gaps.filter((size) => size > least).length;
	const joined: { first: T; last: T }[] = [];
	for (const [i, range] of merged.entries()) {
		const before = joined.at(-1);
		const size = gaps[i - 1] ?? Number.POSITIVE_INFINITY;
		const open = size > least || (size === least && equal-- > 0);
		if (before === undefined || open) joined.push({ ...range });
		else before.last = range.last;
	}
	return joined;
}

/** How far apart, as a number: the widest gaps are told apart well enough. */
function gap(last: Address, first: Address): number {
	return typeof last === "number" ? Number(first) - last : Number(BigInt(first) - last);
}

/** The boxes as nftables rules that stand in a root of their direction. */
export function guardRules(boxes: readonly GuardBox[], direction: Direction): string[] {
	const [iface, side] = direction === "ingress" ? ["iifname", "saddr"] : ["oifname", "daddr"];
	return boxes.map((item) => {
		const matches = [
			item.interface === null ? "" : `${iface} "${interfaceKey(item.interface)}"`,
			protocolMatch(item),
			addressMatch(item, side),
			"drop",
		];
		return matches.filter((match) => match !== "").join(" ");
	});
}

function protocolMatch({ protocol, ports, source }: GuardBox): string {
	if (protocol === null) return "";
	const matches = [];
	if (ports !== null && isTransport(protocol))
		matches.push(`${protocol} dport ${oneOf(ports.map(({ first, last }) => portsText(first, last)))}`);
	if (source !== null) matches.push(`${sourceKey(protocol).read} ${portsText(source.first, source.last)}`);
	return matches.length === 0 ? `meta l4proto ${protocolNumber(protocol)}` : matches.join(" ");
}

function addressMatch({ family, addresses }: GuardBox, side: string): string {
	const [only] = addresses;
	const whole = addresses.length === 1 && only !== undefined && BigInt(only.first) === 0n;
	if (whole && BigInt(only.last) === BigInt(full[family])) return `meta nfproto ipv${family}`;
	const texts = addresses.map(({ first, last }) => intervalText(first, last));
	return `${family === 4 ? "ip" : "ip6"} ${side} ${oneOf(texts)}`;
}

function oneOf(values: readonly string[]): string {
	return values.length === 1 ? (values[0] ?? "") : `{ ${values.join(", ")} }`;
}
