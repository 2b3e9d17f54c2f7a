/**
 * An ordered list as rules without an order. Here the more specific rule wins, and of rules that merely overlap the
 * strictest. So a rule that an earlier one hides is left out; what an earlier accept shares with a later drop is said
 * once more as an Allow of its own, which is narrower than the drop; and drops that the default posture does anyway are
 * left out. Then each packet's narrowest rules say what the first that matches said.
 */

import { formatCidr } from "../base/cidr.ts";
import type { Direction, Family, Protocol } from "../base/model.ts";
import { isIcmp, protocolFits, protocolLabel } from "../base/protocol.ts";
import type { PeerData, PortData, RuleData } from "./finding.ts";
import type { OrderedRule } from "./ordered.ts";
import { holds, type PacketSet, shared } from "./packets.ts";

/** A rule, and the texts of the source from which it is. */
export interface FreeRule {
	readonly data: RuleData;
	readonly origin: OrderedRule;
}

export interface OrderFree {
	readonly rules: readonly FreeRule[];
	/** Rules of the source none of whose packets come to them. */
	readonly hidden: readonly { readonly rule: OrderedRule; readonly by: OrderedRule }[];
	/** Rules that say what holds without them. */
	readonly needless: readonly OrderedRule[];
}

interface Piece {
	readonly packets: PacketSet;
	readonly accepts: boolean;
	readonly origin: OrderedRule;
}

/** The same verdicts as the list, which has to decide about every packet. */
export function withoutOrder(list: readonly OrderedRule[], direction: Direction): OrderFree {
	const { seen, hidden } = withoutHidden(list);
	// Those that a later rule of the other kind meets.
	const needed = new Set(
		seen.filter((rule, at) =>
			seen.slice(at + 1).some((other) => other.accepts !== rule.accepts && meet(other, rule)),
		),
	);
	// Where no accept stands before a drop that it meets, the drops alone say everything.
	const dropsAlone = seen.every((rule) => !rule.accepts || !needed.has(rule));
	const pieces = dropsAlone ? onlyDrops(seen) : withCarved(seen, needed);
	const said = new Set(pieces.map(({ origin }) => origin));
	const origins = new Set([...said].map(nameOf));
	const needless = new Map(
		seen.filter((rule) => !origins.has(nameOf(rule))).map((rule) => [nameOf(rule), rule]),
	);
	return { rules: render(pieces, direction), hidden, needless: [...needless.values()] };
}

function meet(a: OrderedRule, b: OrderedRule): boolean {
	return shared(a.packets, b.packets) !== null;
}

function nameOf({ place, text }: OrderedRule): string {
	return `${place.file}:${place.line}:${place.column} ${text}`;
}

function withoutHidden(list: readonly OrderedRule[]) {
	const seen: OrderedRule[] = [];
	const told = new Set<string>();
	const by = new Map<string, { rule: OrderedRule; by: OrderedRule }>();
	for (const rule of list) {
		const hiding = seen.find(({ packets }) => holds(packets, rule.packets));
		if (hiding === undefined) {
			seen.push(rule);
			told.add(nameOf(rule));
		} else if (!by.has(nameOf(rule))) by.set(nameOf(rule), { rule, by: hiding });
	}
	return { seen, hidden: [...by].flatMap(([name, pair]) => (told.has(name) ? [] : [pair])) };
}

function onlyDrops(seen: readonly OrderedRule[]): readonly Piece[] {
	const drops = seen.filter(({ accepts }) => !accepts);
	return drops
		.filter(({ packets }, at) => !drops.slice(at + 1).some((later) => holds(later.packets, packets)))
		.map((rule) => ({ packets: rule.packets, accepts: false, origin: rule }));
}

/**
 * Accepts, the drops that an accept after them meets, and of an accept and such a drop after it what both hold. The
 * posture does the other drops. An accept that a later one says as well, without a drop in between, adds nothing.
 */
function withCarved(seen: readonly OrderedRule[], needed: ReadonlySet<OrderedRule>): readonly Piece[] {
	const pieces: Piece[] = [];
	for (const [at, rule] of seen.entries()) {
		const { packets, accepts } = rule;
		const later = seen.slice(at + 1);
		if (!accepts) {
			if (needed.has(rule) && !saidLater(rule, later)) pieces.push({ packets, accepts, origin: rule });
			continue;
		}
		const drops = later.filter((other) => !other.accepts && needed.has(other) && meet(other, rule));
		if (drops.length === 0 && later.some((other) => other.accepts && holds(other.packets, packets))) continue;
		pieces.push({ packets, accepts, origin: rule }, ...carved(rule, drops, seen.slice(0, at)));
	}
	return pieces;
}

/** Whether a wider drop follows, with no accept before it that takes some of the packets. */
function saidLater(drop: OrderedRule, later: readonly OrderedRule[]): boolean {
	for (const other of later) {
		if (other.accepts && meet(other, drop)) return false;
		if (!other.accepts && holds(other.packets, drop.packets)) return true;
	}
	return false;
}

function carved(
	allow: OrderedRule,
	drops: readonly OrderedRule[],
	earlier: readonly OrderedRule[],
): readonly Piece[] {
	const found: PacketSet[] = [];
	for (const drop of drops) {
		const packets = shared(allow.packets, drop.packets);
		if (packets === null || holds(packets, allow.packets)) continue;
		const known = found.some((one) => holds(one, packets) && holds(packets, one));
		if (!known && !earlier.some((one) => holds(one.packets, packets))) found.push(packets);
	}
	return found.map((packets) => ({ packets, accepts: true, origin: allow }));
}

function render(pieces: readonly Piece[], direction: Direction): readonly FreeRule[] {
	const bySource = Map.groupBy(
		pieces,
		({ origin, accepts, packets }) => `${accepts} ${interfaceText(packets)} ${nameOf(origin)}`,
	);
	const groups = [...bySource.values()].flatMap(blocksTogether);
	// A rule without addresses is wider than one for all of them, so either every rule says its addresses or none such.
	const omit = groups.every(({ blocks, entries }) => !blocks.some(isAll) || isEverywhere(blocks, entries));
	return groups.map(({ blocks, entries, origin, accepts, match }) => {
		const peers: PeerData[] = blocks.map((cidr) => ({ ipBlock: { cidr } }));
		const side = direction === "ingress" ? "from" : "to";
		const ports = entries.flatMap(portData);
		const data: RuleData = {
			action: accepts ? "Allow" : "Block",
			...(omit && blocks.some(isAll) ? {} : { [side]: peers }),
			...(match === "" ? {} : { iface: [match] }),
			...(ports.length === 0 ? {} : { ports }),
		};
		return { data, origin };
	});
}

interface Group {
	readonly blocks: readonly string[];
	readonly entries: readonly PacketSet[];
	readonly origin: OrderedRule;
	readonly accepts: boolean;
	readonly match: string;
}

/** Pieces of one rule, action and interface: entries with the same blocks are one rule. */
function blocksTogether(pieces: readonly Piece[]): readonly Group[] {
	const [first] = pieces;
	if (first === undefined) return [];
	const byEntry = [...Map.groupBy(pieces, ({ packets }) => entryKey(packets)).values()];
	const withBlocks = byEntry.flatMap((group) => {
		const blocks = [...new Set(group.map(({ packets }) => formatCidr(packets.cidr)))];
		return group[0] === undefined ? [] : { blocks, entry: group[0].packets };
	});
	return [...Map.groupBy(withBlocks, ({ blocks, entry }) => groupKey(blocks, entry)).values()].map(
		(same) => ({
			blocks: same[0]?.blocks ?? [],
			entries: same.map(({ entry }) => entry),
			origin: first.origin,
			accepts: first.accepts,
			match: interfaceText(first.packets),
		}),
	);
}

/** Entries for every protocol stand alone: among others they would have no port entry. */
function groupKey(blocks: readonly string[], { protocol }: PacketSet): string {
	return `${protocol === null ? "any" : families(protocol).join("")} ${blocks.join()}`;
}

function families(protocol: Protocol | null): readonly Family[] {
	return ([4, 6] as const).filter((family) => protocolFits(protocol, family));
}

const all: Readonly<Record<Family, string>> = { 4: "0.0.0.0/0", 6: "::/0" };

function isAll(block: string): boolean {
	return block === all[4] || block === all[6];
}

function isEverywhere(blocks: readonly string[], entries: readonly PacketSet[]): boolean {
	return (
		blocks.every(isAll) &&
		entries.every(({ protocol }) => families(protocol).every((family) => blocks.includes(all[family])))
	);
}

function entryKey({ protocol, ports, source }: PacketSet): string {
	return `${protocol} ${ports?.first}-${ports?.last} ${source?.first}-${source?.last}`;
}

function interfaceText({ interface: match }: PacketSet): string {
	return match === null ? "" : `${match.name}${match.prefix ? "*" : ""}`;
}

function portData({ protocol, ports, source }: PacketSet): PortData[] {
	if (protocol === null) return [];
	const label = typeof protocol === "number" && /^protocol/u.test(protocolLabel(protocol));
	const name = { protocol: label ? String(protocol) : protocolLabel(protocol) };
	if (isIcmp(protocol)) {
		if (source === null) return [name];
		const types = Array.from({ length: source.last - source.first + 1 }, (_, i) => source.first + i);
		return types.map((icmpType) => ({ ...name, icmpType }));
	}
	const end = (last: number, first: number) => (last === first ? undefined : last);
	return [
		{
			...name,
			...(ports === null
				? {}
				: withoutUndefined({ port: ports.first, endPort: end(ports.last, ports.first) })),
			...(source === null
				? {}
				: withoutUndefined({ sourcePort: source.first, sourceEndPort: end(source.last, source.first) })),
		},
	];
}

/** YAML and JSON say nothing of what is undefined. */
function withoutUndefined(fields: Readonly<Record<string, number | undefined>>) {
	return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
