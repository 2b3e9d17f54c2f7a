/** Many blocks of addresses, asked whether one of them holds another block. */

import { maskBase } from "../../../../base/cidr.ts";
import type { Cidr, Family } from "../../../../base/model.ts";

export class BlockMap<Value> {
	/** By family, then by length of prefix, longest first. */
	readonly #sizes: Readonly<Record<Family, Map<number, Map<bigint, Value>>>> = { 4: new Map(), 6: new Map() };
	#lengths: Record<Family, readonly number[]> = { 4: [], 6: [] };
	/** Of every address. */
	#any: Value | null = null;

	/** Null: every address. */
	set(block: Cidr | null, value: Value): void {
		if (block === null) {
			this.#any = value;
			return;
		}
		const sizes = this.#sizes[block.family];
		const bases = sizes.get(block.prefix) ?? new Map<bigint, Value>();
		bases.set(block.base, value);
		if (sizes.has(block.prefix)) return;
		sizes.set(block.prefix, bases);
		this.#lengths[block.family] = [...sizes.keys()].sort((a, b) => b - a);
	}

	/** The value of the smallest block that holds all of this one; null where none does. @param shorter than its own prefix */
	holding(block: Cidr, shorter = false): Value | null {
		const { family, base, prefix } = block;
		for (const length of this.#lengths[family]) {
			if (length > prefix || (shorter && length === prefix)) continue;
			const found = this.#sizes[family].get(length)?.get(maskBase(base, family, length));
			if (found !== undefined) return found;
		}
		return this.#any;
	}
}
