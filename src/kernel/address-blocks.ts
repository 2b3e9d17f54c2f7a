/** Sets of addresses, some told one by one and some as whole blocks. Pure. */

import { parseAddress } from "../base/cidr.ts";
import type { Family } from "../base/model.ts";

const bits: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

export interface AddressBlock {
	readonly family: Family;
	/** The bits that all of its addresses share, as a number, and how many those are. */
	readonly prefix: bigint;
	readonly length: number;
}

/** The block of an address and the length of its prefix; null for text that is no address, or for no prefix of it. */
export function blockOf(address: string, length: number): AddressBlock | null {
	const parsed = parseAddress(address);
	if ("message" in parsed || length < 0 || length > bits[parsed.family]) return null;
	const { family, value } = parsed;
	return { family, prefix: value >> BigInt(bits[family] - length), length };
}

export class AddressBlocks {
	readonly #addresses: ReadonlySet<string>;
	readonly #blocks: readonly AddressBlock[];
	readonly #known = new Map<string, boolean>();

	constructor(addresses: ReadonlySet<string>, blocks: readonly AddressBlock[]) {
		this.#addresses = addresses;
		this.#blocks = blocks;
	}

	/** @param address canonical text. */
	has(address: string): boolean {
		if (this.#addresses.has(address)) return true;
		if (this.#blocks.length === 0) return false;
		const known = this.#known.get(address) ?? this.#inBlock(address);
		this.#known.set(address, known);
		return known;
	}

	#inBlock(text: string): boolean {
		const address = parseAddress(text);
		if ("message" in address) return false;
		return this.#blocks.some(
			({ family, prefix, length }) =>
				family === address.family && address.value >> BigInt(bits[family] - length) === prefix,
		);
	}
}
