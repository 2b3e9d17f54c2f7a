/** Names of network interfaces by index, cached for a short while: interfaces come, go and are renamed. */

const LIFE_MS = 2000;
const LIMIT = 1024;

export class InterfaceNames {
	readonly #names = new Map<number, { readonly name: string; readonly until: number }>();

	/**
	 * @param lookup asks the kernel; null when no interface has the index.
	 * @param now milliseconds on a clock that only goes forward.
	 */
	constructor(
		private readonly lookup: (index: number) => string | null,
		private readonly now: () => number,
	) {}

	/** The name; that of before when the interface has just gone, "" when it was never seen. */
	name(index: number): string {
		const known = this.#names.get(index);
		const now = this.now();
		if (known !== undefined && now < known.until) return known.name;
		const name = this.lookup(index) ?? known?.name ?? "";
		if (this.#names.size >= LIMIT) this.#names.clear();
		this.#names.set(index, { name, until: now + LIFE_MS });
		return name;
	}
}
