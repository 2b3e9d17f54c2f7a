/** From where the ports of this host can be reached, as far as policies decide. */

import { addressBits } from "../../../../base/cidr.ts";
import type { Cidr, Family, Transport } from "../../../../base/model.ts";
import { blocksOf } from "../../../../document/block.ts";
import { atKind, type NetworkModel } from "../program.ts";
import { firstOfKind } from "../suffixes.ts";
import type { Region } from "./blocked-regions.ts";
import { kindsOf } from "./suffix-boxes.ts";
import { type Range, VerdictSpace } from "./verdict-space.ts";

/** A port that somebody waits on. */
export interface ExposedPort {
	readonly protocol: Transport;
	readonly family: Family;
	readonly port: number;
}

/** What addresses of one kind meet, and whether a region has any. */
interface AskedSpace {
	readonly space: VerdictSpace;
	has(region: Region): boolean;
}

/** Asks one model about many ports of one interface; what was found is kept. */
export class Exposure {
	readonly #model: NetworkModel;
	readonly #ports: readonly ExposedPort[];
	readonly #known: {
		readonly identity: readonly unknown[];
		readonly found: ReadonlyMap<string, readonly Region[]>;
	}[] = [];

	/** @param ports all that will be asked about. */
	constructor(model: NetworkModel, ports: readonly ExposedPort[]) {
		this.#model = model;
		this.#ports = ports;
	}

	/**
	 * The remote addresses from which a new connection to the port passes, from some source port at least: disjoint
	 * regions in rising order. An Audit passes as well.
	 */
	regions(networkInterface: string, { protocol, family, port }: ExposedPort): readonly Region[] {
		const spaces = kindsOf([this.#model.ingress], family).map(({ kind, named }) => ({
			space: new VerdictSpace([atKind(this.#model.ingress, kind)], networkInterface, family),
			// Where suffixes tell addresses apart, a region is told if some address of it passes.
			has: (region: Region) => named.length === 0 || firstOfKind(region, kind, named) !== null,
		}));
		const identity = [family, ...spaces.flatMap(({ space }) => space.identity)];
		const known = this.#known.find((one) => one.identity.every((part, i) => part === identity[i]));
		const found = known?.found ?? this.#ask(spaces, family);
		if (known === undefined) this.#known.push({ identity, found });
		return found.get(`${protocol} ${port}`) ?? [];
	}

	/** The same as address blocks; "any" for every address of the family. */
	blocks(networkInterface: string, asked: ExposedPort): readonly Cidr[] | "any" {
		const regions = this.regions(networkInterface, asked);
		const [first] = regions;
		if (first?.first === 0n && first.last === (1n << BigInt(addressBits(asked.family))) - 1n) return "any";
		return regions.flatMap((region) => blocksOf(asked.family, region.first, region.last));
	}

	/** One walk over the columns of each protocol serves all of its ports. */
	#ask(spaces: readonly AskedSpace[], family: Family): Map<string, readonly Region[]> {
		const found = new Map<string, readonly Region[]>();
		for (const [protocol, ports] of Map.groupBy(
			this.#ports.filter((one) => one.family === family),
			(one) => one.protocol,
		)) {
			const numbers = [...new Set(ports.map(({ port }) => port))].sort((a, b) => a - b);
			for (const { space, has } of spaces) {
				for (const { ports: range, pieces } of space.columns(protocol)) {
					const within = numbers.filter((port) => holds(range, port));
					if (within.length === 0) continue;
					const passing = pieces
						.filter(({ actions }) => actions[0] !== "Block")
						.map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) }))
						.filter(has);
					for (const port of within) {
						const key = `${protocol} ${port}`;
						found.set(key, joined([...(found.get(key) ?? []), ...passing]));
					}
				}
			}
		}
		return found;
	}
}

function holds({ first, last }: Range, port: number): boolean {
	return first <= port && port <= last;
}

function joined(regions: readonly Region[]): readonly Region[] {
	const result: { first: bigint; last: bigint }[] = [];
	for (const { first, last } of regions.toSorted((a, b) =>
		a.first < b.first ? -1 : a.first > b.first ? 1 : 0,
	)) {
		const previous = result.at(-1);
		if (previous !== undefined && first <= previous.last + 1n) {
			if (last > previous.last) previous.last = last;
		} else result.push({ first, last });
	}
	return result;
}
