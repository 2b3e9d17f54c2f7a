/**
 * For which packets two sets of policies say different things, in few boxes. A difference of texts tells what was
 * written; this tells what it means.
 */

import { formatCidr } from "../../../../base/cidr.ts";
import type { Action, Direction, Family, Protocol } from "../../../../base/model.ts";
import { icmp, icmpv6, isIcmp, isTransport, protocolText } from "../../../../base/protocol.ts";
import { blocksOf } from "../../../../document/block.ts";
import type { Address } from "../atom.ts";
import type { DirectionProgram, NetworkModel } from "../program.ts";
import { type InterfaceGroup, interfaceGroups } from "./interface-groups.ts";
import { senderBoxes } from "./sender-boxes.ts";
import { suffixBoxes } from "./suffix-boxes.ts";
import type { VerdictBox } from "./verdict-box.ts";
import type { Piece } from "./verdict-pieces.ts";
import { allPorts, cutRanges, namedProtocols, type Range, VerdictSpace } from "./verdict-space.ts";

/** A box of one family, before it is put into words. */
interface Cell {
	readonly family: Family;
	readonly source: Range | null;
	readonly ports: Range;
	readonly first: Address;
	readonly last: Address;
	readonly before: Action;
	readonly after: Action;
}

/** What changes for a protocol on an interface, and a text that is equal exactly where that is the same. */
interface Changes {
	readonly cells: readonly Cell[];
	readonly key: string;
}

/** The cells of packets whose source no rule names, and of each named one that differs from them. */
function changesOf(spaces: Readonly<Record<Family, VerdictSpace>>, protocol: Protocol | null): Changes {
	const sources = cutRanges(
		[...spaces[4].namedSources(protocol), ...spaces[6].namedSources(protocol)],
		protocol,
	);
	const bySource = new Map<Range | null, CellCollector[]>();
	for (const family of [4, 6] as const) {
		for (const { source, ports, pieces } of spaces[family].columns(protocol, sources)) {
			const collectors = bySource.get(source) ?? [];
			bySource.set(source, collectors);
			if (collectors.at(-1)?.family !== family) collectors.push(new CellCollector(family, source));
			collectors.at(-1)?.column(ports, pieces);
		}
	}
	const keyOf = (collectors: readonly CellCollector[] = []) =>
		collectors.map(({ family, key }) => `${family}: ${key}`).join(" ");
	const plain = bySource.get(null) ?? [];
	const cells: Cell[] = plain.flatMap((collector) => collector.cells);
	let key = keyOf(plain);
	for (const [source, collectors] of bySource) {
		if (source === null || keyOf(collectors) === keyOf(plain)) continue;
		const own = collectors.flatMap((collector) => collector.cells);
		// Where nothing changes, a cell that says so names the source all the same.
		cells.push(...(own.length > 0 ? own : (collectors[0]?.marker ?? [])));
		key += ` ${source.first}-${source.last} ${keyOf(collectors)}`;
	}
	return { cells, key };
}

/** A cell that the next column may go on with. */
interface OpenCell extends Omit<Cell, "ports"> {
	readonly ports: { readonly first: number; last: number };
	/** Equal for the same addresses and actions. */
	readonly name: string;
}

/** Joins what is the same over neighbouring ranges of ports. */
class CellCollector {
	readonly cells: OpenCell[] = [];
	/** Of the column before: by what they say, and by the piece that said it, which columns share where no rule for ports lies. */
	#open = new Map<string, OpenCell>();
	#openPieces = new Map<Piece, OpenCell>();
	#marker: Cell | null = null;

	constructor(
		readonly family: Family,
		private readonly source: Range | null,
	) {}

	column(ports: Range, pieces: Iterable<Piece>): void {
		const current = new Map<string, OpenCell>();
		const currentPieces = new Map<Piece, OpenCell>();
		for (const piece of pieces) {
			const { actions } = piece;
			// Most pieces are the same in both sets.
			if (actions[0] === actions[1] && this.#marker !== null) continue;
			const open = this.#openPieces.get(piece) ?? this.#cellOf(piece, ports);
			this.#marker ??= open;
			if (open.before === open.after) continue;
			open.ports.last = ports.last;
			current.set(open.name, open);
			currentPieces.set(piece, open);
		}
		this.#open = current;
		this.#openPieces = currentPieces;
	}

	/** The cell that the column before had for the same, or a new one. */
	#cellOf({ first, last, actions }: Piece, ports: Range): OpenCell {
		const [before = "Allow", after = before] = actions;
		const name = `${first}-${last} ${before}${after}`;
		const known = this.#open.get(name);
		if (known !== undefined) return known;
		const { family, source } = this;
		const cell = { family, source, ports: { ...ports }, first, last, before, after, name };
		if (before !== after) this.cells.push(cell);
		return cell;
	}

	get key(): string {
		return this.cells
			.map(
				({ ports, first, last, before, after }) =>
					`${ports.first}-${ports.last} ${first}-${last} ${before}${after}`,
			)
			.join(";");
	}

	/** A cell of no change, where there is nothing but such. */
	get marker(): readonly Cell[] {
		return this.#marker === null ? [] : [this.#marker];
	}
}

/** Everything that two models say differently about new flows, most general first. */
export function diffVerdicts(before: NetworkModel, after: NetworkModel): VerdictBox[] {
	const named = [before, after].some(({ ingress, egress }) =>
		[ingress, egress].some(({ suffixes }) => suffixes !== undefined),
	);
	return named ? suffixBoxes(before, after, diffSenders) : diffSenders(before, after);
}

function diffSenders(before: NetworkModel, after: NetworkModel): VerdictBox[] {
	const boxes = diffModels(before, after);
	return [...boxes, ...senderBoxes(before, after, boxes, diffModels)];
}

function diffModels(before: NetworkModel, after: NetworkModel): VerdictBox[] {
	const sides = (["ingress", "egress"] as const).map((direction) => {
		const programs = [before[direction], after[direction]] as const;
		return { direction, programs, groups: interfaceGroups(programs) };
	});
	const protocols = namedProtocols(sides.flatMap(({ programs }) => programs));
	const groups = interfaceGroups(sides.flatMap(({ programs }) => programs));
	const table = new ChangeTable(sides, protocols, groups);
	const interfaces = table.namedGroups();
	const named = table.namedProtocols();
	const boxes: VerdictBox[] = [];
	for (const { direction } of sides) {
		for (const group of interfaces) {
			for (const protocol of [...named, null]) {
				boxes.push(...boxesOf(table.get(direction, group, protocol).cells, direction, protocol, group));
			}
		}
	}
	return [...boxes, ...table.markers(boxes, interfaces, named)];
}

interface Side {
	readonly direction: Direction;
	readonly programs: readonly [DirectionProgram, DirectionProgram];
}

/** The changes of every direction, interface group and protocol, each found once. */
class ChangeTable {
	readonly #sides: readonly Side[];
	readonly #protocols: readonly (Protocol | null)[];
	readonly #groups: readonly InterfaceGroup[];
	readonly #changes = new Map<string, Changes>();

	constructor(
		sides: readonly Side[],
		protocols: readonly (Protocol | null)[],
		groups: readonly InterfaceGroup[],
	) {
		this.#sides = sides;
		this.#protocols = protocols;
		this.#groups = groups;
		for (const { direction, programs } of sides) {
			const known: { identity: readonly unknown[]; group: InterfaceGroup }[] = [];
			for (const group of groups) {
				const spaces = spacesOf(programs, group);
				const identity = [...spaces[4].identity, ...spaces[6].identity];
				const same = known.find((one) => one.identity.every((part, i) => part === identity[i]));
				known.push({ identity, group });
				for (const protocol of protocols) {
					const found =
						same === undefined ? changesOf(spaces, protocol) : this.get(direction, same.group, protocol);
					this.#changes.set(nameOf(direction, group, protocol), found);
				}
			}
		}
	}

	get(direction: Direction, group: InterfaceGroup, protocol: Protocol | null): Changes {
		return this.#changes.get(nameOf(direction, group, protocol)) ?? { cells: [], key: "" };
	}

	/** The groups whose changes are not those of the group that holds them, and the one that holds all. */
	namedGroups(): readonly InterfaceGroup[] {
		const named: InterfaceGroup[] = [];
		const content = (group: InterfaceGroup) =>
			this.#sides
				.flatMap(({ direction }) =>
					this.#protocols.map((protocol) => this.get(direction, group, protocol).key),
				)
				.join("|");
		// From the widest to the narrowest: the last that holds it is the nearest.
		for (const group of this.#groups) {
			const outer = named.findLast((one) => one.holds(group));
			if (outer === undefined || content(outer) !== content(group)) named.push(group);
		}
		return named;
	}

	/** Protocols that differ from those without a name somewhere. */
	namedProtocols(): readonly Protocol[] {
		return this.#protocols.filter((protocol): protocol is Protocol => {
			if (protocol === null) return false;
			return this.#sides.some(({ direction }) =>
				this.#groups.some((group) => {
					const own = this.get(direction, group, protocol);
					const any = this.get(direction, group, null);
					if (own.key === any.key) return false;
					// Of a protocol of one family, that family alone counts.
					const families = new Set<Family>(protocol === icmp ? [4] : protocol === icmpv6 ? [6] : [4, 6]);
					const text = ({ cells }: Changes) =>
						JSON.stringify(
							cells
								.filter(({ family }) => families.has(family))
								.map(({ first, last, ...rest }) => [`${first}-${last}`, rest]),
						);
					return text(own) !== text(any);
				}),
			);
		});
	}

	/** A box of no change for each name without one: "every other" must not mean it. */
	markers(
		boxes: readonly VerdictBox[],
		groups: readonly InterfaceGroup[],
		protocols: readonly Protocol[],
	): VerdictBox[] {
		if (boxes.length === 0) return [];
		const [side] = this.#sides;
		const [everywhere] = groups;
		if (side === undefined || everywhere === undefined) return [];
		const marker = (group: InterfaceGroup, protocol: Protocol | null): VerdictBox[] => {
			for (const { direction, programs } of this.#sides) {
				const spaces = spacesOf(programs, group);
				for (const family of [4, 6] as const) {
					for (const { source, ports, pieces } of spaces[family].columns(protocol)) {
						const same = pieces.find(({ actions: [before, after] }) => before === after);
						if (source !== null || same === undefined) continue;
						const [before = "Allow"] = same.actions;
						const cell = { ...same, family, source, ports, before, after: before };
						return boxesOf([cell], direction, protocol, group);
					}
				}
			}
			return [];
		};
		const unnamed = groups.filter(
			({ name }) => name !== null && !boxes.some((box) => box.interface === name),
		);
		const untold = protocols.filter(
			(protocol) => !boxes.some((box) => box.protocol === protocolText(protocol)),
		);
		return [
			...unnamed.flatMap((group) => marker(group, protocols[0] ?? null)),
			...untold.flatMap((protocol) => marker(everywhere, protocol)),
		];
	}
}

function nameOf(direction: Direction, { name }: InterfaceGroup, protocol: Protocol | null): string {
	return `${direction} ${name} ${protocol}`;
}

function spacesOf(programs: readonly DirectionProgram[], { example }: InterfaceGroup) {
	return {
		4: new VerdictSpace(programs, example, 4),
		6: new VerdictSpace(programs, example, 6),
	};
}

/** Cells of both families with the same ports and actions are one box. */
function boxesOf(
	cells: readonly Cell[],
	direction: Direction,
	protocol: Protocol | null,
	{ name }: InterfaceGroup,
): VerdictBox[] {
	const alike = Map.groupBy(
		cells,
		({ source, ports, before, after }) =>
			`${source?.first}-${source?.last} ${ports.first}-${ports.last} ${before} ${after}`,
	);
	return [...alike.values()].flatMap((group) => {
		const [cell] = group;
		if (cell === undefined) return [];
		const { source, ports, before, after } = cell;
		const all = ports.first === allPorts.first && ports.last === allPorts.last;
		const range = source === null ? null : ([source.first, source.last] as const);
		return {
			direction,
			protocol: protocol === null ? "any" : protocolText(protocol),
			ports: all || !isTransport(protocol) ? null : ([ports.first, ports.last] as const),
			...(range === null ? {} : isIcmp(protocol) ? { icmpTypes: range } : { sourcePorts: range }),
			addresses: joined(group).flatMap(({ family, first, last }) =>
				blocksOf(family, BigInt(first), BigInt(last)).map(formatCidr),
			),
			interface: name,
			before,
			after,
		};
	});
}

/** Neighbouring addresses as one. */
function joined(cells: readonly Cell[]): readonly Pick<Cell, "family" | "first" | "last">[] {
	const result: { family: Family; first: Address; last: Address }[] = [];
	for (const { family, first, last } of cells.toSorted(
		(a, b) => a.family - b.family || (a.first < b.first ? -1 : 1),
	)) {
		const previous = result.at(-1);
		if (previous?.family === family && BigInt(previous.last) + 1n === BigInt(first)) previous.last = last;
		else result.push({ family, first, last });
	}
	return result;
}
