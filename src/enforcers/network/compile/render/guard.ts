/**
 * A small stand-in for the Blocks of a direction, for the moment after somebody
 * else took the table away: a few plain rules that load in milliseconds however
 * many elements the policies have. It drops all that they block, and where they
 * are too many to be told apart, what lies between: by port above all.
 */

import type { Direction, Family, InterfaceMatch, PortRange, Protocol } from "../../../../base/model.ts";
import { rangeText } from "../../../../base/port-range.ts";
import { isTransport, protocolFits, protocolNumber } from "../../../../base/protocol.ts";
import { formatSuffix, type Suffix } from "../../../../base/suffix.ts";
import {
	addressKey,
	byInterface,
	maskedAddress,
	ofFamily,
	oneOf,
	protocolKey,
} from "../../../../kernel/nftables/expressions.ts";
import { type Address, type AddressRange, type Atom, interfaceKey, withoutHoles } from "../atom.ts";
import { inOrder, joinedLists } from "../interval.ts";
import type { DirectionProgram } from "../program.ts";
import type { SenderKey } from "../sender.ts";
import { scopeKey } from "../stream.ts";
import { intervalText } from "./address-text.ts";
import { sourceKey } from "./cell-sets.ts";
import { type PortKey, packetPort } from "./port-key.ts";

/** Drops what matches all of it. */
export interface GuardBox {
	/** Null: any interface. */
	readonly interface: InterfaceMatch | null;
	readonly family: Family;
	/** Null: any protocol. */
	readonly protocol: Protocol | null;
	/** Destination ports. Null: any. Sorted and disjoint. */
	readonly ports: readonly PortRange[] | null;
	/** The source port, or ICMP's type. Null: any. */
	readonly source: PortRange | null;
	/** Absent: whoever sends. */
	readonly sender?: SenderKey;
	/** Absent: whatever the address ends with. */
	readonly suffix?: Suffix;
	/** Of the remote end. Sorted and disjoint. */
	readonly addresses: readonly AddressRange[];
}

/** Rules of one direction, and intervals in all of them: some 15 ms to load. */
export const maxGuardBoxes = 64;
export const maxGuardIntervals = 512;
/** Port ranges of one rule. */
const maxPortRanges = 64;

const full: Readonly<Record<Family, Address>> = { 4: 2 ** 32 - 1, 6: 2n ** 128n - 1n };

/** Atoms that differ in nothing but their addresses; a rule has them one after the other. */
interface Strand {
	readonly alike: Atom;
	readonly blocks: AddressRange[];
}

/** How strands come together into boxes: exactly as they are, then coarser where those are too many. */
const groupings: readonly ((alike: Atom) => string)[] = [
	(atom) => `${boxKey(atom)} ${rangeKey(atom.range)} ${rangeKey(atom.source)}`,
	(atom) => `${boxKey(atom)} ${atom.layer}`,
	(atom) => `${atom.family} ${atom.protocol} ${atom.layer}`,
];

function boxKey(atom: Atom): string {
	return `${scopeKey(atom)} ${suffixKey(atom)} ${atom.family} ${atom.protocol}`;
}

function suffixKey({ suffix }: Pick<Atom, "suffix">): string {
	return suffix === undefined ? "" : formatSuffix(suffix);
}

function rangeKey(range: PortRange | null): string {
	return range === null ? "any" : rangeText(range);
}

/** What the Blocks of a direction may match. Holes are left open; what other rules allow inside a Block is not. */
export function guardBoxes(program: Pick<DirectionProgram, "atoms" | "rules">): GuardBox[] {
	const strands = strandsOf(program.atoms).filter(
		({ alike: { rank, rule, protocol, family } }) =>
			(program.rules[rank] ?? rule).action === "Block" && protocolFits(protocol, family),
	);
	let groups: readonly (readonly Strand[])[] = [];
	for (const grouping of groupings) {
		groups = [...Map.groupBy(strands, ({ alike }) => grouping(alike)).values()];
		if (groups.length <= maxGuardBoxes) break;
	}
	const each = Math.floor(maxGuardIntervals / Math.max(groups.length, 1));
	return groups.flatMap((group) => box(group, each));
}

function strandsOf(atoms: readonly Atom[]): Strand[] {
	const strands: Strand[] = [];
	let last: Strand | undefined;
	for (const atom of atoms) {
		if (last === undefined || !isAlike(last.alike, atom)) {
			last = { alike: atom, blocks: [] };
			strands.push(last);
		}
		if (atom.holes.length === 0) last.blocks.push(atom);
		else last.blocks.push(...withoutHoles(atom));
	}
	return strands;
}

/** By identity: atoms of one rule share what they have in common. */
function isAlike(a: Atom, b: Atom): boolean {
	return (
		a.rank === b.rank &&
		a.interface === b.interface &&
		a.sender?.key === b.sender?.key &&
		suffixKey(a) === suffixKey(b) &&
		a.family === b.family &&
		a.protocol === b.protocol &&
		a.range === b.range &&
		a.source === b.source
	);
}

function box(group: readonly Strand[], maxIntervals: number): GuardBox[] {
	const [first] = group.map(({ alike }) => alike);
	if (first === undefined) return [];
	const same = group.every(({ alike }) => interfaceKey(alike.interface) === interfaceKey(first.interface));
	const oneSender = group.every(({ alike }) => alike.sender?.key === first.sender?.key);
	const oneSuffix = group.every(({ alike }) => suffixKey(alike) === suffixKey(first));
	const oneSource = group.every(({ alike }) => rangeKey(alike.source) === rangeKey(first.source));
	const ranges = group.flatMap(({ alike }) => alike.range ?? []);
	const addresses = cover(joinedLists(group.map(({ blocks }) => blocks)), maxIntervals);
	if (addresses.length === 0) return [];
	return [
		{
			interface: same ? first.interface : null,
			family: first.family,
			protocol: first.protocol,
			ports: ranges.length < group.length ? null : cover(ranges, maxPortRanges).map(asPorts),
			source: oneSource ? first.source : null,
			...(oneSender && first.sender !== undefined ? { sender: first.sender } : {}),
			...(oneSuffix && first.suffix !== undefined ? { suffix: first.suffix } : {}),
			addresses,
		},
	];
}

function asPorts({ first, last }: AddressRange): PortRange {
	return { first: Number(first), last: Number(last) };
}

/** At most `limit` ranges that hold all of these; the widest gaps stay open. */
function cover(ranges: readonly AddressRange[], limit: number): readonly AddressRange[] {
	const { firsts, lasts } = union(ranges);
	const count = firsts.length;
	const gaps = new Float64Array(Math.max(count - 1, 0));
	for (let i = 1; i < count; i++) gaps[i - 1] = gap(lasts[i - 1] ?? 0, firsts[i] ?? 0);
	// As many gaps as there may be stay open; of equal ones the first.
	let least = 0;
	if (count > limit) least = limit < 2 ? Number.POSITIVE_INFINITY : (gaps.toSorted().at(1 - limit) ?? 0);
	let equal = limit - 1;
	for (const size of gaps) if (size > least) equal -= 1;
	const joined: { first: Address; last: Address }[] = [];
	for (let i = 0; i < count; i++) {
		const [first, last] = [firsts[i] ?? 0, lasts[i] ?? 0];
		const before = joined.at(-1);
		const size = gaps[i - 1] ?? Number.POSITIVE_INFINITY;
		const open = size > least || (size === least && equal-- > 0);
		if (before === undefined || open) joined.push({ first, last });
		else before.last = last;
	}
	return joined;
}

/** The same in sorted, disjoint ranges, in columns. No address lies between where one more has ended than begun behind it. */
function union(ranges: readonly AddressRange[]): { firsts: Address[]; lasts: Address[] } {
	const starts = ascending(ranges, "first");
	const ends = ascending(ranges, "last");
	const firsts: Address[] = [];
	const lasts: Address[] = [];
	let first = starts[0];
	for (let i = 0; i < ranges.length; i++) {
		const last = ends[i];
		const next = starts[i + 1];
		if (first === undefined || last === undefined) break;
		if (next !== undefined && gap(last, next) <= 1) continue;
		firsts.push(first);
		lasts.push(last);
		first = next;
	}
	return { firsts, lasts };
}

/** Numbers, which most are, are sorted many times faster as such. */
function ascending(ranges: readonly AddressRange[], end: "first" | "last"): ArrayLike<Address> {
	if (typeof ranges[0]?.first !== "number") {
		const values = ranges.map((range) => range[end]);
		return inOrder(values, (a, b) => (a < b ? -1 : a > b ? 1 : 0));
	}
	const values = new Float64Array(ranges.length);
	for (let i = 0; i < values.length; i++) values[i] = Number(ranges[i]?.[end]);
	return values.sort();
}

/** How far apart, as a number: the widest gaps are told apart well enough. */
function gap(last: Address, first: Address): number {
	return typeof last === "number" ? Number(first) - last : Number(BigInt(first) - last);
}

/** The boxes as nftables rules that stand in a root of their direction. */
export function guardRules(
	boxes: readonly GuardBox[],
	direction: Direction,
	key: PortKey = packetPort,
): string[] {
	const [link, side] =
		direction === "ingress" ? (["iifname", "saddr"] as const) : (["oifname", "daddr"] as const);
	return boxes.map((item) => {
		const matches = [
			item.interface === null ? "" : byInterface(link, interfaceKey(item.interface)),
			senderMatch(item),
			protocolMatch(item, key),
			addressMatch(item, side),
			item.suffix === undefined ? "" : maskedAddress(side, item.suffix),
			"drop",
		];
		return matches.filter((match) => match !== "").join(" ");
	});
}

/** Which unit sends is not told where packets leave, and the sets that tell it went with the table: of those everybody is closed out. */
function senderMatch({ sender }: GuardBox): string {
	const user = sender?.user ?? null;
	const group = sender?.group ?? null;
	return [user === null ? [] : `meta skuid ${user}`, group === null ? [] : `meta skgid ${group}`]
		.flat()
		.join(" ");
}

function protocolMatch({ protocol, ports, source }: GuardBox, key: PortKey): string {
	if (protocol === null) return "";
	const matches = [];
	if (ports !== null && isTransport(protocol)) {
		const { guard, read } = key.read(protocol);
		matches.push(`${guard}${read} ${oneOf(ports.map(rangeText))}`);
	}
	if (source !== null) matches.push(`${sourceKey(protocol).read} ${rangeText(source)}`);
	return matches.length === 0 ? `${protocolKey} ${protocolNumber(protocol)}` : matches.join(" ");
}

function addressMatch({ family, addresses }: GuardBox, side: "saddr" | "daddr"): string {
	const [only] = addresses;
	const whole = addresses.length === 1 && only !== undefined && BigInt(only.first) === 0n;
	if (whole && BigInt(only.last) === BigInt(full[family])) return ofFamily(family);
	const texts = addresses.map(({ first, last }) => intervalText(first, last));
	return `${addressKey(family, side)} ${oneOf(texts)}`;
}
