/**
 * Addresses of IPv6 by bits that need not be their first, as `::1234:5678/::ffff:ffff` names a host behind a prefix that
 * changes. What the mask leaves open may be anything.
 */

import { addressBits, formatAddress, isMapped, parseIpv6Bits } from "./cidr.ts";
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
	const cidr = prefix === null ? blockAround({ mask, value }) : { family: 6 as const, base: value, prefix };
	if (cidr.prefix >= 96 && isMapped(6, cidr.base)) {
		return {
			ok: false,
			message: `${text} names IPv4-mapped addresses, which stand for ones of IPv4`,
			hint: "write the IPv4 addresses themselves, as 192.0.2.0/24",
		};
	}
	return prefix === null ? { ok: true, suffix: { mask, value } } : { ok: true, cidr };
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
export function fixedBits({ mask }: Pick<Suffix, "mask">): number {
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
