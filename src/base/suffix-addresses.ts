/**
 * Which addresses match some suffixes and none of others. That is satisfiability, where looking at address after address
 * may take for ever. Counting takes as many steps as there are different intersections of the suffixes, which are few
 * wherever kinds of addresses are told apart.
 */

import { addressBits } from "./cidr.ts";
import { type Suffix, suffixesMeet, suffixMatches } from "./suffix.ts";

const bits = BigInt(addressBits(6));

/** First and last address. */
export interface Bounds {
	readonly first: bigint;
	readonly last: bigint;
}

/** The addresses that all of `within` match and none of `without`; may be asked for any bounds. */
export class SuffixAddresses {
	/** Null: no address matches all of `within`. */
	readonly #whole: Box | null;
	/** By inclusion and exclusion: each intersection, and how often it counts. Found when it is first needed. */
	#terms: readonly (readonly [Box, bigint])[] | null = null;
	readonly #without: readonly Suffix[];

	constructor(within: readonly Suffix[], without: readonly Suffix[]) {
		let whole: Suffix | null = { mask: 0n, value: 0n };
		for (const one of within) whole = whole === null ? null : meeting(whole, one);
		this.#whole = whole && new Box(whole);
		this.#without = whole === null ? [] : without.filter((one) => suffixesMeet(one, whole));
	}

	/** The first of them within bounds; null where there is none. */
	first({ first, last }: Bounds): bigint | null {
		const plain = this.#whole?.from(first) ?? null;
		if (plain === null || plain > last) return null;
		if (!this.#without.some((one) => suffixMatches(one, plain))) return plain;
		const before = this.#upTo(plain);
		if (this.#upTo(last) === before) return null;
		let [low, high] = [plain, last];
		while (low < high) {
			const middle = (low + high) >> 1n;
			if (this.#upTo(middle) > before) high = middle;
			else low = middle + 1n;
		}
		return low;
	}

	/** How many there are up to an address, itself included. */
	#upTo(address: bigint): bigint {
		this.#terms ??= this.#intersections();
		return this.#terms.reduce((count, [box, times]) => count + times * box.upTo(address), 0n);
	}

	#intersections(): readonly (readonly [Box, bigint])[] {
		if (this.#whole === null) return [];
		const whole = this.#whole.suffix;
		const terms = new Map([[keyOf(whole), { box: whole, times: 1n }]]);
		for (const one of this.#without) {
			for (const { box, times } of [...terms.values()]) {
				const both = meeting(box, one);
				if (both === null) continue;
				const key = keyOf(both);
				const left = (terms.get(key)?.times ?? 0n) - times;
				if (left === 0n) terms.delete(key);
				else terms.set(key, { box: both, times: left });
			}
		}
		return [...terms.values()].map(({ box, times }) => [new Box(box), times] as const);
	}
}

function keyOf({ mask, value }: Suffix): bigint {
	return (mask << bits) | value;
}

/** What matches both; null where nothing does. */
function meeting(a: Suffix, b: Suffix): Suffix | null {
	return suffixesMeet(a, b) ? { mask: a.mask | b.mask, value: a.value | b.value } : null;
}

/** The addresses of one suffix, or of all where its mask has no bit. */
class Box {
	/** Stretches of bits that are open, from the highest. */
	readonly #open: readonly { readonly shift: bigint; readonly size: bigint; readonly ones: bigint }[];

	constructor(readonly suffix: Suffix) {
		const open = [];
		for (let bit = bits; bit > 0n; bit--) {
			const top = bit;
			while (bit > 0n && ((suffix.mask >> (bit - 1n)) & 1n) === 0n) bit--;
			if (top > bit) open.push({ shift: bit, size: top - bit, ones: (1n << (top - bit)) - 1n });
		}
		this.#open = open;
	}

	/** How many up to an address, itself included. */
	upTo(address: bigint): bigint {
		const { mask, value } = this.suffix;
		const off = (address ^ value) & mask;
		if (off === 0n) return this.#rank(address) + 1n;
		const top = highestBit(off);
		const below = top - 1n;
		return (address & top) === 0n ? this.#rank(address & ~below) : this.#rank(address | below) + 1n;
	}

	/** The first one from an address on; null where there is none. */
	from(address: bigint): bigint | null {
		const { mask, value } = this.suffix;
		const off = (address ^ value) & mask;
		if (off === 0n) return address;
		const top = highestBit(off);
		const below = top - 1n;
		// Above the first bit that is off, what is open grows by one where that bit was too high.
		let kept = address & ~(below | top);
		if ((address & top) !== 0n) {
			const grown = ((kept | mask | below | top) + 1n) & ~mask;
			if (grown >> bits !== 0n) return null;
			kept = grown & ~(below | top);
		}
		return (kept & ~mask) | value;
	}

	/** The open bits of an address, pushed together. */
	#rank(address: bigint): bigint {
		let rank = 0n;
		for (const { shift, size, ones } of this.#open) rank = (rank << size) | ((address >> shift) & ones);
		return rank;
	}
}

function highestBit(value: bigint): bigint {
	return 1n << BigInt(value.toString(2).length - 1);
}
