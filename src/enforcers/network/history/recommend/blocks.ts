/** Addresses that used a service as blocks of addresses, few enough to be read, and why. */

import { addressBits, maskBase } from "../../../../base/cidr.ts";
import type { Cidr, Family } from "../../../../base/model.ts";
import { BlockMap } from "./block-set.ts";
import { blockText } from "./candidate.ts";

/** What `--aggregate` says: `auto`, each address for itself, or every address as the block that it lies in. */
export type Aggregate = "auto" | "none" | Readonly<Record<Family, number>>;

/** So many addresses of one network are taken for the network. */
export const fewest = 3;
const networks: Readonly<Record<Family, number>> = { 4: 24, 6: 64 };

export interface Block {
	readonly cidr: Cidr;
	/** Why it is wider than what was seen; null where it is one address that was seen. */
	readonly why: string | null;
}

function around({ family, base, prefix }: Cidr, wide: number): Cidr {
	return wide >= prefix
		? { family, base, prefix }
		: { family, base: maskBase(base, family, wide), prefix: wide };
}

/**
 * @param seen what was seen often enough: addresses, and under an explicit size the blocks that are no larger
 * @param refused addresses that must not get in by a block that only their neighbours make
 */
export function blocksOf(
	seen: readonly Cidr[],
	aggregate: Aggregate,
	refused: readonly Cidr[],
): readonly Block[] {
	if (aggregate === "none") return seen.map((cidr) => ({ cidr, why: null }));
	const sizes = aggregate === "auto" ? networks : aggregate;
	const groups = Map.groupBy(seen, (cidr) => blockText(around(cidr, sizes[cidr.family])));
	const refusedIn = Map.groupBy(refused, (cidr) => blockText(around(cidr, sizes[cidr.family])));
	const refusedWhole = new BlockMap<true>();
	for (const cidr of refused) refusedWhole.set(cidr, true);
	return [...groups].flatMap(([text, members]): readonly Block[] => {
		const [first] = members;
		if (first === undefined) return [];
		const cidr = around(first, sizes[first.family]);
		const alone = members.map((member) => ({ cidr: member, why: null }));
		if (cidr.prefix === first.prefix || refusedWhole.holding(cidr) !== null) return alone;
		if (aggregate !== "auto") return [{ cidr, why: `asked for with --aggregate /${cidr.prefix}` }];
		// A network of which as many are left out as stay in is none that one trusts as a whole.
		if (members.length < fewest || (refusedIn.get(text)?.length ?? 0) >= members.length) return alone;
		return [
			{
				cidr,
				why: `${members.length} addresses of this network were seen often enough, and ${fewest} make a network`,
			},
		];
	});
}

/** Networks as large as providers have them. */
const wide: Readonly<Record<Family, number>> = { 4: 16, 6: 32 };

/** How many such networks the addresses lie in. */
export function networksOf(seen: readonly Cidr[]): number {
	return new Set(seen.map((cidr) => blockText(around(cidr, wide[cidr.family])))).size;
}

export function isAddress({ family, prefix }: Cidr): boolean {
	return prefix === addressBits(family);
}
