/**
 * Which rules can decide a packet at all. A rule that is in a table can still
 * be unreachable, when the steps before it decide everything that it matches;
 * so each rule's cells are tried until a packet is found that it decides.
 */

import type { Protocol } from "../../../../base/model.ts";
import { isTransport } from "../../../../base/protocol.ts";
import type { Address } from "../atom.ts";
import type { IntervalList } from "../interval.ts";
import type { DirectionProgram } from "../program.ts";
import { find, type Key, type Segment, type Step, type Table, transports } from "../table.ts";

/** Tries for one rule after which it is taken to be reachable: a warning must be certain. */
const maxTries = 20_000;

export interface Reach {
	/** Ranks that decide some packet, or that were not disproved. */
	readonly reached: ReadonlySet<number>;
	/** For the others that are in a table: a rule that decides in their stead. */
	readonly instead: ReadonlyMap<number, number>;
}

function decides(steps: readonly Step[], key: Key): number {
	for (const step of steps) {
		if (step.exempt.some((table) => find(table, key) !== null)) continue;
		const rank = find(step.table, key);
		if (rank !== null) return rank;
	}
	return -1;
}

interface Range {
	readonly first: number;
	readonly last: number;
}

/** Packets that a table is asked for: a protocol, a range of destination ports, and of source ports or ICMP types. */
interface Ports extends Range {
	readonly protocol: Protocol | null;
	/** Null: any. */
	readonly source: Range | null;
}

function whole(protocol: Protocol | null): Ports {
	return { protocol, first: 0, last: isTransport(protocol) ? 65535 : 0, source: null };
}

/** A table's interval lists, each with the packets that it is asked for. `named`: the protocols that matter. */
function parts(table: Table, named: readonly Protocol[]): { list: IntervalList; ports: readonly Ports[] }[] {
	if (table.layer === "W") return [{ list: table.list, ports: [null, ...named].map(whole) }];
	if (table.layer === "T") {
		return [...table.lists].map(([protocol, list]) => ({ list, ports: [whole(protocol)] }));
	}
	const of = (protocol: Protocol, segments: readonly Segment[], source: Range | null) =>
		segments.map(({ first, last, list }) => {
			const ports = isTransport(protocol) ? last : first;
			return { list, ports: [{ protocol, first, last: ports, source }] };
		});
	if (table.layer === "P") {
		return [...table.segments].flatMap(([protocol, segments]) => of(protocol, segments, null));
	}
	return [...table.sources].flatMap(([protocol, sources]) =>
		sources.flatMap((source) => of(protocol, source.ports, source)),
	);
}

/** The protocols that steps tell apart. */
function namedIn(steps: readonly Step[]): Protocol[] {
	const named = new Set<Protocol>(transports);
	for (const table of steps.flatMap((step) => [step.table, ...step.exempt])) {
		if (table.layer === "T") for (const protocol of table.lists.keys()) named.add(protocol);
		if (table.layer === "S") for (const protocol of table.sources.keys()) named.add(protocol);
	}
	return [...named];
}

/** Where the answer of a sequence can change: addresses and ports at which an interval or segment begins, or has just ended. */
class Corners {
	readonly addresses: readonly Address[];
	readonly ports: readonly number[];
	readonly sources: readonly number[];

	constructor(steps: readonly Step[], named: readonly Protocol[]) {
		const addresses = new Set<Address>();
		const ports = new Set<number>();
		const sources = new Set<number>();
		for (const table of steps.flatMap((step) => [step.table, ...step.exempt])) {
			for (const part of parts(table, named)) {
				for (const first of part.list.first) addresses.add(first);
				for (const last of part.list.last) {
					addresses.add(typeof last === "bigint" ? last + 1n : last + 1);
				}
				for (const { first, last, source } of part.ports) {
					ports.add(first).add(last + 1);
					if (source !== null) sources.add(source.first).add(source.last + 1);
				}
			}
		}
		this.sources = [...sources].sort((a, b) => a - b);
		this.addresses = [...addresses].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
		this.ports = [...ports].sort((a, b) => a - b);
	}
}

/** `first`, then the corners after it up to `last`. */
function* within<T extends Address>(first: T, last: T, corners: readonly T[]): Generator<T> {
	yield first;
	let low = 0;
	let high = corners.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		const corner = corners[middle];
		if (corner !== undefined && corner <= first) low = middle + 1;
		else high = middle;
	}
	for (let i = low; i < corners.length; i++) {
		const corner = corners[i];
		if (corner === undefined || corner > last) return;
		yield corner;
	}
}

/** The sources to try: one that no rule names, and each corner; or those within a range. */
function* sourcesOf(range: Range | null, corners: readonly number[]): Generator<number | null> {
	if (range !== null) yield* within(range.first, range.last, corners);
	else {
		yield null;
		yield* corners;
	}
}

const noCorners = { ports: [], sources: [] } as const;

class Search {
	readonly reached = new Set<number>();
	readonly instead = new Map<number, number>();
	readonly #tries = new Map<number, number>();

	sequence(steps: readonly Step[]): void {
		const named = namedIn(steps);
		let corners: Corners | null = null;
		for (const step of steps) {
			for (const { list, ports } of parts(step.table, named)) {
				let latest = Number.NaN;
				for (let i = 0; i < list.rank.length; i++) {
					const rank = list.rank[i] ?? -1;
					// Thousands in a row lead to one.
					if (rank === latest || this.reached.has(rank)) {
						latest = rank;
						continue;
					}
					const first = list.first[i];
					const last = list.last[i];
					if (first === undefined || last === undefined) continue;
					const simplest = ports.map((port) => ({
						...port,
						last: port.first,
						source: port.source && { first: port.source.first, last: port.source.first },
					}));
					if (this.#cell(steps, rank, [first], simplest, noCorners)) continue;
					corners ??= new Corners(steps, named);
					this.#cell(steps, rank, within(first, last, corners.addresses), ports, corners);
				}
			}
		}
	}

	#cell(
		steps: readonly Step[],
		rank: number,
		addresses: Iterable<Address>,
		ports: readonly Ports[],
		corners: Pick<Corners, "ports" | "sources">,
	): boolean {
		let tries = this.#tries.get(rank) ?? 0;
		for (const address of addresses) {
			for (const key of keysOf(address, ports, corners)) {
				const found = decides(steps, key);
				tries++;
				this.#tries.set(rank, tries);
				if (found === rank || tries > maxTries) {
					this.reached.add(rank);
					return true;
				}
				this.instead.set(rank, found);
			}
		}
		return false;
	}
}

/** The packets of an address to try. */
function* keysOf(
	address: Address,
	ports: readonly Ports[],
	corners: Pick<Corners, "ports" | "sources">,
): Generator<Key> {
	for (const { protocol, first, last, source: range } of ports) {
		for (const source of sourcesOf(range, protocol === null ? [] : corners.sources)) {
			for (const port of within(first, last, corners.ports)) yield { address, protocol, source, port };
		}
	}
}

export function reachOf(program: DirectionProgram): Reach {
	const search = new Search();
	const met = [program, ...(program.suffixes?.programs ?? [])];
	for (const { literals, prefixes, members, others } of met.flatMap((one) => [
		one,
		...(one.senders?.programs ?? []),
	])) {
		const groups = [...literals, ...prefixes, ...members].map((group) => group.sequences);
		for (const sequences of [others, ...groups]) {
			for (const family of [4, 6] as const) search.sequence(sequences[family]);
		}
	}
	return search;
}
