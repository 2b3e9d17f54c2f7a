/**
 * Carries large plain data from thread to thread again and again: of a long list only what is new since the last time
 * goes over, and where the rest was. Copying hundreds of thousands of objects takes longer than all that is done with
 * a change of a few. What is the same is the same object, which the sender's side sees to.
 */

/** Shorter lists are copied. */
const shortest = 256;

/** Lists that are deeper than this are copied, too. */
const deepest = 4;

const mark = "carried:";

/** A stretch of the list before, or what is new, which may be JSON. */
type Part =
	| { readonly from: number; readonly count: number }
	| { readonly items: readonly unknown[] }
	| { readonly json: string };

interface Carried {
	readonly [mark]: string;
	readonly parts: readonly Part[];
}

type Plain = Readonly<Record<string, unknown>>;

function isPlain(value: unknown): value is Plain {
	return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function isCarried(value: unknown): value is Carried {
	if (!isPlain(value)) return false;
	const { [mark]: path, parts } = value;
	return typeof path === "string" && Array.isArray(parts);
}

/** The same value with each long list, which `change` is given with its path, replaced. */
function mapLists(
	value: unknown,
	depth: number,
	path: string,
	change: (list: unknown, path: string) => unknown,
): unknown {
	if (Array.isArray(value) || isCarried(value)) return change(value, path);
	if (!isPlain(value) || depth === 0) return value;
	const mapped: Record<string, unknown> = {};
	for (const [key, field] of Object.entries(value)) {
		mapped[key] = mapLists(field, depth - 1, `${path}/${key}`, change);
	}
	return mapped;
}

/** One end of a channel; the other is a CarryReceiver that is given all that this one packs, in order. */
export class CarrySender {
	readonly #json: string | null;
	#sent = new Map<string, readonly unknown[]>();

	/**
	 * @param json what paths of lists end in whose items are JSON's: as one text they go over in a fraction of the time that
	 * copying many small objects takes.
	 */
	constructor(json: string | null = null) {
		this.#json = json;
	}

	pack<Value>(value: Value): Value {
		const sent = new Map<string, readonly unknown[]>();
		const packed = mapLists(value, deepest, "", (list, path) => {
			if (!Array.isArray(list) || list.length < shortest) return list;
			sent.set(path, list);
			const parts = difference(this.#sent.get(path) ?? [], list);
			const text = this.#json !== null && path.endsWith(this.#json);
			return { [mark]: path, parts: text ? parts.map(asText) : parts };
		});
		this.#sent = sent;
		// The receiver makes of it what it was.
		return packed as Value;
	}
}

export class CarryReceiver {
	readonly #through: string | null;
	#received = new Map<string, readonly unknown[]>();

	/**
	 * @param through what paths of lists end in that only pass through this thread: they stay as they came, for the receiver
	 * of another thread, which has to be given all of them, and in their order.
	 */
	constructor(through: string | null = null) {
		this.#through = through;
	}

	/** What `pack` was given; what was never packed is returned as it is. */
	unpack<Value>(value: Value): Value {
		const received = new Map<string, readonly unknown[]>();
		const unpacked = mapLists(value, deepest, "", (list) => {
			if (!isCarried(list)) return list;
			const path = list[mark];
			if (this.#through !== null && path.endsWith(this.#through)) return list;
			const whole = assemble(this.#received.get(path) ?? [], list.parts);
			received.set(path, whole);
			return whole;
		});
		this.#received = received;
		return unpacked as Value;
	}
}

function asText(part: Part): Part {
	return "items" in part ? { json: JSON.stringify(part.items) } : part;
}

/** `list` as stretches of `before` and what is not in it. */
function difference(before: readonly unknown[], list: readonly unknown[]): Part[] {
	const places = new Map(before.map((item, place) => [item, place]));
	const parts: ({ from: number; count: number } | { items: unknown[] })[] = [];
	for (const item of list) {
		const place = places.get(item);
		const last = parts.at(-1);
		if (place === undefined) {
			if (last !== undefined && "items" in last) last.items.push(item);
			else parts.push({ items: [item] });
		} else if (last !== undefined && "from" in last && last.from + last.count === place) last.count += 1;
		else parts.push({ from: place, count: 1 });
	}
	return parts;
}

function assemble(before: readonly unknown[], parts: readonly Part[]): unknown[] {
	const list: unknown[] = [];
	for (const part of parts) {
		if ("items" in part) for (const item of part.items) list.push(item);
		else if ("json" in part) for (const item of JSON.parse(part.json)) list.push(item);
		else for (let i = part.from; i < part.from + part.count; i++) list.push(before[i]);
	}
	return list;
}
