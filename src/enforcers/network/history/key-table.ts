/** Keys of a fixed number of 32-bit words, each with a number from 0 in the order in which they came. Pure. */

/** Of a table that holds nothing. */
const leastCapacity = 64;

/** As many places as entries would make long searches. */
const placesPerEntry = 2;

/** A table of which no more than one in so many places is taken gives the rest back. */
const sparse = 4;

export class KeyTable {
	readonly #words: number;
	/** Who sends packets chooses keys, and must not choose which ones collide. */
	readonly #seed: number;
	#keys: Uint32Array;
	/** The number of an entry and 1; 0 where there is none. A power of two. */
	#places: Uint32Array;
	#size = 0;

	/** @param words of each key. */
	constructor(words: number, seed: number) {
		this.#words = words;
		this.#seed = seed | 0;
		this.#keys = new Uint32Array(leastCapacity * words);
		this.#places = new Uint32Array(leastCapacity * placesPerEntry);
	}

	get size(): number {
		return this.#size;
	}

	/** Entries for which there is room: what lies beside keys in columns needs no more. */
	get capacity(): number {
		return this.#keys.length / this.#words;
	}

	/** The number of a key, or -1. */
	find(key: Uint32Array): number {
		return (this.#places[this.#placeOf(key)] ?? 0) - 1;
	}

	/** The number of a key, which is `size` of before where it is new. */
	add(key: Uint32Array): number {
		const place = this.#placeOf(key);
		const found = this.#places[place] ?? 0;
		if (found > 0) return found - 1;
		const number = this.#size;
		if (number >= this.capacity) {
			this.#resize(this.capacity * 2);
			return this.add(key);
		}
		this.#keys.set(key, number * this.#words);
		this.#places[place] = number + 1;
		this.#size += 1;
		return number;
	}

	/** Copies the key of a number. */
	copy(number: number, into: Uint32Array): void {
		const from = number * this.#words;
		for (let i = 0; i < this.#words; i++) into[i] = this.#keys[from + i] ?? 0;
	}

	/**
	 * Goes through all keys in their order, where they are, and gives those that stay new numbers.
	 * @param stays false: the key goes. It may change the key, also to one that was met before.
	 * @param placed where an entry's key lies now, at `from` or before; `isNew` is false where an earlier one had that key.
	 */
	rebuild(
		stays: (key: Uint32Array, from: number) => boolean,
		placed: (from: number, to: number, isNew: boolean) => void,
	): void {
		const before = this.#size;
		const key = new Uint32Array(this.#words);
		this.#size = 0;
		this.#places.fill(0);
		for (let from = 0; from < before; from++) {
			this.copy(from, key);
			if (!stays(key, from)) continue;
			const next = this.#size;
			const to = this.add(key);
			placed(from, to, to === next);
		}
		let capacity = this.capacity;
		while (capacity > leastCapacity && this.#size * sparse <= capacity) capacity /= 2;
		if (capacity < this.capacity) this.#resize(capacity);
	}

	#resize(capacity: number): void {
		this.#keys = resized(this.#keys, capacity * this.#words);
		this.#places = new Uint32Array(capacity * placesPerEntry);
		const known = new Uint32Array(this.#words);
		for (let number = 0; number < this.#size; number++) {
			this.copy(number, known);
			this.#places[this.#placeOf(known)] = number + 1;
		}
	}

	/** Where a key is, or where it would be. */
	#placeOf(key: Uint32Array): number {
		const mask = this.#places.length - 1;
		let place = this.#hash(key) & mask;
		for (;;) {
			const found = this.#places[place] ?? 0;
			if (found === 0 || this.#holds(found - 1, key)) return place;
			place = (place + 1) & mask;
		}
	}

	#holds(number: number, key: Uint32Array): boolean {
		const from = number * this.#words;
		for (let i = 0; i < this.#words; i++) if (this.#keys[from + i] !== key[i]) return false;
		return true;
	}

	#hash(key: Uint32Array): number {
		let hash = this.#seed;
		for (let i = 0; i < this.#words; i++) {
			hash = Math.imul(hash ^ (key[i] ?? 0), 0x85eb_ca6b);
			hash ^= hash >>> 15;
		}
		hash = Math.imul(hash, 0xc2b2_ae35);
		return hash ^ (hash >>> 13);
	}
}

/** An array of another length with the same beginning. */
export function resized<T extends Float64Array | Int32Array | Uint32Array>(values: T, length: number): T {
	const other = new (values.constructor as new (length: number) => T)(length);
	for (let i = Math.min(values.length, length) - 1; i >= 0; i--) other[i] = values[i] ?? 0;
	return other;
}
