/**
 * Addresses of IPv6 by bits that need not be their first, as `::1234:5678/::ffff:ffff` names a host behind a prefix that
 * changes. What the mask leaves open may be anything.
 */

import { addressBits, formatAddress, parseIpv6Bits } from "./cidr.ts";
import type { Cidr } from "./model.ts";

/** The mask is not a prefix: that is a block. */
export interface Suffix {
	/** At least one bit. */
	readonly mask: bigint;
	/** Has no bits but those of the mask. */
	readonly value: bigint;
}

export type SuffixResult =
	| { readonly ok: true; readonly suffix: Suffix }
	/** The mask is a prefix after all. */
	| { readonly ok: true; readonly cidr: Cidr }
	| { readonly ok: false; readonly message: string; readonly hint: string };

const bits = addressBits(6);
const all = (1n << BigInt(bits)) - 1n;

/** Two IPv6 texts (39 each) and the slash: anything longer is none. */
const longest = 79;
const form = /^([0-9a-f:.]+)\/([0-9a-f:.]*:[0-9a-f:.]*)$/i;

/** Reads ADDRESS/MASK of IPv6; null where a text is not of that form. */
export function parseSuffix(text: string): SuffixResult | null {
	const [, addressText = "", maskText = ""] = (text.length > longest ? null : form.exec(text)) ?? [];
	const [value, mask] = [parseIpv6Bits(addressText), parseIpv6Bits(maskText)];
	if (value === null || mask === null) return null;
	const prefix = prefixOf(mask);
	if ((value & mask) !== value) {
		const kept = value & mask;
		const meant =
			prefix === null ? formatSuffix({ mask, value: kept }) : `${formatAddress(6, kept)}/${prefix}`;
		return {
			ok: false,
			message: `${text} has bits that its mask leaves open`,
			hint: `write ${meant}, or a mask with these bits`,
		};
	}
	if (prefix !== null) return { ok: true, cidr: { family: 6, base: value, prefix } };
	return { ok: true, suffix: { mask, value } };
}

/** "ADDRESS/MASK". parseSuffix reads it back to an equal suffix. */
export function formatSuffix({ mask, value }: Suffix): string {
	return `${formatAddress(6, value)}/${formatAddress(6, mask)}`;
}

/** The length of a mask of leading ones, 0..128; null for any other. */
function prefixOf(mask: bigint): number | null {
	const open = mask ^ all;
	return (open & (open + 1n)) === 0n ? bits - open.toString(2).replace(/^0$/, "").length : null;
}

/** How many of the first bits a block or a suffix has to fix to be inside: all up to the mask's last one. 1..128 */
export function fixedBits({ mask }: Suffix): number {
	const lowest = mask & -mask;
	return bits - (lowest.toString(2).length - 1);
}

/** The smallest block that holds all of it. */
export function blockAround({ mask, value }: Suffix): Cidr {
	let prefix = 0;
	while (((mask >> BigInt(bits - 1 - prefix)) & 1n) === 1n) prefix++;
	const host = BigInt(bits - prefix);
	return { family: 6, base: (value >> host) << host, prefix };
}

export function suffixMatches({ mask, value }: Suffix, address: bigint): boolean {
	return (address & mask) === value;
}

/** Whether every address of `inner` is in `outer`; equal ones contain each other. */
export function suffixContains(outer: Suffix, inner: Suffix): boolean {
	return (outer.mask & inner.mask) === outer.mask && (inner.value & outer.mask) === outer.value;
}

/** The same of a block of IPv6. */
export function suffixContainsBlock(outer: Suffix, base: bigint, prefix: number): boolean {
	return fixedBits(outer) <= prefix && suffixMatches(outer, base);
}

/** Whether some address is in both. */
export function suffixesMeet(a: Suffix, b: Suffix): boolean {
	return ((a.value ^ b.value) & a.mask & b.mask) === 0n;
}

/** Whether some address of a block matches. */
export function suffixMeetsBlock(suffix: Suffix, { family, base, prefix }: Cidr): boolean {
	const host = BigInt(bits - prefix);
	return family === 6 && suffixesMeet(suffix, { mask: (all >> host) << host, value: base });
}

/**
 * The first address from `first` to `last` that all of `within` match and none of `without`; null where there is none.
 * Bit by bit, as an address that is free may lie behind any number of others.
 */
export function firstAddress(
	{ first, last }: { readonly first: bigint; readonly last: bigint },
	within: readonly Suffix[],
	without: readonly Suffix[],
): bigint | null {
	let [mask, value] = [0n, 0n];
	for (const one of within) {
		if (((one.value ^ value) & one.mask & mask) !== 0n) return null;
		mask |= one.mask;
		value |= one.value;
	}
	return new Search(first, last, mask, value).from(bits - 1, 0n, without);
}

class Search {
	/** What was found to lead nowhere, beside the bounds: by bit and by who is still to be kept off. */
	readonly #dead = new Set<string>();

	constructor(
		private readonly first: bigint,
		private readonly last: bigint,
		private readonly mask: bigint,
		private readonly value: bigint,
	) {}

	/** @param bit the highest that is open; those above are in `address` @param without those that match so far */
	from(bit: number, address: bigint, without: readonly Suffix[]): bigint | null {
		const open = (1n << BigInt(bit + 1)) - 1n;
		if ((address | open) < this.first || address > this.last) return null;
		if (without.some(({ mask }) => (mask & open) === 0n)) return null;
		if (bit < 0) return address;
		const inside = this.first <= address && (address | open) <= this.last;
		const key = inside ? `${bit} ${without.map(formatSuffix).join()}` : "";
		if (inside && this.#dead.has(key)) return null;
		const one = 1n << BigInt(bit);
		const choices = (this.mask & one) === 0n ? [0n, one] : [this.value & one];
		for (const choice of choices) {
			const left = without.filter(({ mask, value }) => (mask & one) === 0n || (value & one) === choice);
			const found = this.from(bit - 1, address | choice, left);
			if (found !== null) return found;
		}
		if (inside) this.#dead.add(key);
		return null;
	}
}
