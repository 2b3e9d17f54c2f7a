/** Keys of a fixed number of 32-bit words, each with a number from 0 in the order in which they came. Pure. */

/** Of a table that holds nothing. */
const leastCapacity = 64;

/** As many places as entries would make long searches. */
const placesPerEntry = 2;

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
		if ((number + 1) * this.#words > this.#keys.length) return this.#grown(key);
		this.#keys.set(key, number * this.#words);
		this.#places[place] = number + 1;
		this.#size += 1;
		return number;
	}

	/** Copies the key of a number. */
	copy(number: number, into: Uint32Array): void {
		const from = number * this.#words;
		into.set(this.#keys.subarray(from, from + this.#words));
	}

	#grown(key: Uint32Array): number {
		const keys = new Uint32Array(this.#keys.length * 2);
		keys.set(this.#keys);
		this.#keys = keys;
		this.#places = new Uint32Array(this.#places.length * 2);
		const known = new Uint32Array(this.#words);
		for (let number = 0; number < this.#size; number++) {
			this.copy(number, known);
			this.#places[this.#placeOf(known)] = number + 1;
		}
		return this.add(key);
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

/** An array of twice the length with the same beginning. */
export function doubled(values: Float64Array): Float64Array<ArrayBuffer> {
	const longer = new Float64Array(Math.max(values.length, leastCapacity) * 2);
	longer.set(values);
	return longer;
}
