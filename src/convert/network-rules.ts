/** Pieces without an order as rules of a network policy. */

import { formatCidr } from "../base/cidr.ts";
import type { Direction, Family, Protocol } from "../base/model.ts";
import { isIcmp, protocolFits, protocolLabel } from "../base/protocol.ts";
import type { PeerData, PortData, RuleData } from "./finding.ts";
import { nameOf, type Ordered, type Piece } from "./order-free.ts";
import type { PacketSet } from "./packets.ts";

/** A rule, and the one of the source from which it is. */
export interface FreeRule {
	readonly data: RuleData;
	readonly origin: Ordered<PacketSet>;
}

/** Pieces of one rule of the source are few rules: by action, interface, addresses and ports. */
export function rulesOfPieces(
	pieces: readonly Piece<PacketSet>[],
	direction: Direction,
): readonly FreeRule[] {
	const bySource = Map.groupBy(
		pieces,
		({ origin, accepts, set }) => `${accepts} ${interfaceText(set)} ${nameOf(origin)}`,
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
	readonly origin: Ordered<PacketSet>;
	readonly accepts: boolean;
	readonly match: string;
}

/** Pieces of one rule, action and interface: entries with the same blocks are one rule. */
function blocksTogether(pieces: readonly Piece<PacketSet>[]): readonly Group[] {
	const [first] = pieces;
	if (first === undefined) return [];
	const byEntry = [...Map.groupBy(pieces, ({ set }) => entryKey(set)).values()];
	const withBlocks = byEntry.flatMap((group) => {
		const blocks = [...new Set(group.map(({ set }) => formatCidr(set.cidr)))];
		return group[0] === undefined ? [] : { blocks, entry: group[0].set };
	});
	return [...Map.groupBy(withBlocks, ({ blocks, entry }) => groupKey(blocks, entry)).values()].map(
		(same) => ({
			blocks: same[0]?.blocks ?? [],
			entries: same.map(({ entry }) => entry),
			origin: first.origin,
			accepts: first.accepts,
			match: interfaceText(first.set),
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
