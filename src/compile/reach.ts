/**
 * Which rules can decide a packet at all. A rule that is in a table can still
 * be unreachable, when the steps before it decide everything that it matches;
 * so each rule's cells are tried until a packet is found that it decides.
 */

import type { Transport } from "../policy/model.ts";
import type { Address } from "./atom.ts";
import type { IntervalList } from "./interval.ts";
import type { DirectionProgram } from "./program.ts";
import { find, type Step, type Table, transports } from "./table.ts";

/** Tries for one rule after which it is taken to be reachable: a warning must be certain. */
const maxTries = 20_000;

export interface Reach {
	/** Ranks that decide some packet, or that were not disproved. */
	readonly reached: ReadonlySet<number>;
	/** For the others that are in a table: a rule that decides in their stead. */
	readonly instead: ReadonlyMap<number, number>;
}

function decides(steps: readonly Step[], address: Address, protocol: Transport | null, port: number): number {
	for (const step of steps) {
		if (step.exempt.some((table) => find(table, address, protocol, port) !== null)) continue;
		const rank = find(step.table, address, protocol, port);
		if (rank !== null) return rank;
	}
	return -1;
}

type Ports = { readonly protocol: Transport | null; readonly first: number; readonly last: number };

/** A table's interval lists, each with the packets that it is asked for. */
function parts(table: Table): { list: IntervalList; ports: readonly Ports[] }[] {
	const whole = (protocol: Transport | null) => ({ protocol, first: 0, last: protocol === null ? 0 : 65535 });
	if (table.layer === "W") return [{ list: table.list, ports: [null, ...transports].map(whole) }];
	if (table.layer === "T") {
		return [...table.lists].map(([protocol, list]) => ({ list, ports: [whole(protocol)] }));
	}
	return [...table.segments].flatMap(([protocol, segments]) =>
		segments.map(({ first, last, list }) => ({ list, ports: [{ protocol, first, last }] })),
	);
}

/** Where the answer of a sequence can change: addresses and ports at which an interval or segment begins, or has just ended. */
class Corners {
	readonly addresses: readonly Address[];
	readonly ports: readonly number[];

	constructor(steps: readonly Step[]) {
		const addresses = new Set<Address>();
		const ports = new Set<number>();
		for (const table of steps.flatMap((step) => [step.table, ...step.exempt])) {
			for (const part of parts(table)) {
				for (const first of part.list.first) addresses.add(first);
				for (const last of part.list.last) {
					addresses.add(typeof last === "bigint" ? last + 1n : last + 1);
				}
				for (const { first, last } of part.ports) ports.add(first).add(last + 1);
			}
		}
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

class Search {
	readonly reached = new Set<number>();
	readonly instead = new Map<number, number>();
	readonly #tries = new Map<number, number>();

	sequence(steps: readonly Step[]): void {
		let corners: Corners | null = null;
		for (const step of steps) {
			for (const { list, ports } of parts(step.table)) {
				for (const [i, rank] of list.rank.entries()) {
					if (this.reached.has(rank)) continue;
					const first = list.first[i];
					const last = list.last[i];
					if (first === undefined || last === undefined) continue;
					if (
						this.#cell(
							steps,
							rank,
							[first],
							ports.map((port) => ({ ...port, last: port.first })),
							[],
						)
					)
						continue;
					corners ??= new Corners(steps);
					this.#cell(steps, rank, within(first, last, corners.addresses), ports, corners.ports);
				}
			}
		}
	}

	#cell(
		steps: readonly Step[],
		rank: number,
		addresses: Iterable<Address>,
		ports: readonly Ports[],
		corners: readonly number[],
	): boolean {
		let tries = this.#tries.get(rank) ?? 0;
		for (const address of addresses) {
			for (const { protocol, first, last } of ports) {
				for (const port of within(first, last, corners)) {
					const found = decides(steps, address, protocol, port);
					tries++;
					this.#tries.set(rank, tries);
					if (found === rank || tries > maxTries) {
						this.reached.add(rank);
						return true;
					}
					this.instead.set(rank, found);
				}
			}
		}
		return false;
	}
}

export function reachOf(program: DirectionProgram): Reach {
	const search = new Search();
	const groups = [...program.literals, ...program.prefixes].map((group) => group.sequences);
	for (const sequences of [program.others, ...groups]) {
		for (const family of [4, 6] as const) search.sequence(sequences[family]);
	}
	return search;
}
