/**
 * Suffixes of IPv6 as one more dimension of rules, beside blocks: an address has, of all suffixes that rules of a direction
 * name, a kind, which is those that it matches. Within one kind suffixes are blocks, so everything that is made of
 * intervals stays as it is, and each kind has lookups of its own. Pure.
 */

import { addressBits } from "../../../base/cidr.ts";
import type { Diagnostic } from "../../../base/diagnostic.ts";
import { directions } from "../../../base/model.ts";
import { fixedBits, formatSuffix, type Suffix, suffixContains, suffixesMeet } from "../../../base/suffix.ts";
import { type Bounds, SuffixAddresses } from "../../../base/suffix-addresses.ts";
import type { NetworkPolicy } from "../model.ts";
import type { Atom } from "./atom.ts";
import type { Inside } from "./inside.ts";
import { nobody, type ResolveAccount, senderKinds, sendersNamed } from "./sender.ts";

/** Those that an address matches, and no others of a direction. */
export type SuffixKind = readonly Suffix[];

/** Of addresses that match nothing that is named. */
export const noSuffix: SuffixKind = [];

/** Kinds that are told apart at most: a packet of IPv6 is held against one after the other. */
export const mostSuffixKinds = 256;

/** Kinds of addresses and of senders together: each combination has lookups of its own. */
const mostTogether = 1024;

export function kindKey(kind: Iterable<Suffix>): string {
	return [...kind].map(formatSuffix).sort().join(" ");
}

/** What atoms name, each once, in one order. */
export function suffixesNamed(atoms: Iterable<Pick<Atom, "suffix">>): readonly Suffix[] {
	const named = new Map<string, Suffix>();
	for (const { suffix } of atoms) if (suffix !== undefined) named.set(formatSuffix(suffix), suffix);
	return [...named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, suffix]) => suffix);
}

/** The atoms of IPv6 with the suffixes that they are inside of. */
export function withInside(atoms: readonly Atom[], named: readonly Suffix[]): readonly Atom[] {
	const known = new Map<string, Inside>();
	const inside = (suffixes: readonly Suffix[]): Inside => {
		const key = kindKey(suffixes);
		const found = known.get(key) ?? { key, suffixes: new Set(suffixes) };
		known.set(key, found);
		return found;
	};
	const blockInside = matching(named);
	return atoms.map((atom) => {
		const { suffix, first, length } = atom;
		const around =
			suffix === undefined
				? blockInside(BigInt(first), length)
				: named.filter((outer) => suffixContains(outer, suffix));
		return around.length === 0 ? atom : { ...atom, inside: inside(around) };
	});
}

/** Finds those that hold every address of a block, without trying each: most share few masks. */
function matching(named: readonly Suffix[]): (base: bigint, prefix: number) => readonly Suffix[] {
	const masks = [...Map.groupBy(named, ({ mask }) => mask)].map(([mask, own]) => ({
		mask,
		fixed: fixedBits({ mask }),
		byValue: new Map(own.map((suffix) => [suffix.value, suffix])),
	}));
	return (base, prefix) => {
		const found: Suffix[] = [];
		for (const { mask, fixed, byValue } of masks) {
			const suffix = fixed <= prefix ? byValue.get(base & mask) : undefined;
			if (suffix !== undefined) found.push(suffix);
		}
		return found;
	};
}

/** Whether an address of the kind may be in what is inside of these. */
export function kindHolds(kind: SuffixKind, inside: Inside | undefined): boolean {
	return inside === undefined || [...inside.suffixes].every((suffix) => kind.includes(suffix));
}

/**
 * Every kind that an address may have, larger ones first; null where they are too many. Of one that no address has, as
 * others cover it, nothing is ever asked.
 */
export function suffixKinds(named: readonly Suffix[], most: number): readonly SuffixKind[] | null {
	interface Met extends Suffix {
		readonly kind: SuffixKind;
	}
	let met: Met[] = [{ mask: 0n, value: 0n, kind: [] }];
	for (const [i, suffix] of named.entries()) {
		const before = named.slice(0, i);
		const next: Met[] = [];
		for (const one of met) {
			const both = suffixesMeet(one, suffix);
			// Where all of it matches, nothing does not.
			if (!both || !suffixContains(suffix, one)) next.push(one);
			if (!both) continue;
			const { mask, value, kind } = one;
			const narrowed = { mask: mask | suffix.mask, value: value | suffix.value };
			const missing = before.some((other) => !kind.includes(other) && suffixContains(other, narrowed));
			if (!missing) next.push({ ...narrowed, kind: [...kind, suffix] });
		}
		met = next;
		if (met.length > most + 1) return null;
	}
	return met
		.map(({ kind }) => kind)
		.filter((kind) => kind.length > 0)
		.sort((a, b) => b.length - a.length);
}

/** The one that an address has; none where it matches nothing that is named. */
export function kindOfAddress(named: readonly Suffix[], address: bigint): SuffixKind {
	const match = matches.get(named) ?? matching(named);
	matches.set(named, match);
	return match(address, addressBits(6));
}

/** Found once: whoever judges many flows asks for each. */
const matches = new WeakMap<readonly Suffix[], ReturnType<typeof matching>>();

/** The first address of a kind within bounds; null where there is none. Both lists are asked again as they are. */
export function firstOfKind(bounds: Bounds, kind: SuffixKind, named: readonly Suffix[]): bigint | null {
	const known = asked.get(kind);
	if (known?.named === named) return known.addresses.first(bounds);
	const own = new Set(kind.map(formatSuffix));
	const others = named.filter((suffix) => !own.has(formatSuffix(suffix)));
	const addresses = new SuffixAddresses(kind, others);
	asked.set(kind, { named, addresses });
	return addresses.first(bounds);
}

/** Found once: many blocks are asked about. */
const asked = new WeakMap<SuffixKind, { named: readonly Suffix[]; addresses: SuffixAddresses }>();

/** Refuses rules whose suffixes make more kinds than can be told apart, also together with senders. */
export function checkSuffixes(
	policies: readonly NetworkPolicy[],
	resolve: ResolveAccount = nobody,
): Diagnostic[] {
	const senders = senderKinds(sendersNamed(policies, resolve));
	return directions.flatMap((direction) => {
		const rules = policies.flatMap((policy) => policy[direction]);
		const peers = rules.flatMap(({ peers }) => peers.filter(({ suffix }) => suffix !== undefined));
		const [first] = peers;
		if (first === undefined) return [];
		const kinds = suffixKinds(suffixesNamed(peers), mostSuffixKinds);
		const combined = direction === "egress" ? senders : 1;
		if (kinds !== null && (kinds.length + 1) * combined <= mostTogether) return [];
		const most = Math.min(mostSuffixKinds, Math.floor(mostTogether / combined) - 1);
		return [
			{
				...first.place,
				path: `spec.${direction}`,
				severity: "error" as const,
				code: "too-many-suffixes",
				message: `the suffixes of addresses that rules of ${direction} name overlap in more than ${most} ways`,
				hint: "name fewer of them, or give all of them one mask, such as ::ffff:ffff:ffff:ffff",
			},
		];
	});
}
