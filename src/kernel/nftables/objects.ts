/**
 * What a table of family inet is made of, as values. The names of objects are fields, also where a rule or an element
 * leads to one, so that nobody has to find them in text. Plain data, which crosses Worker boundaries; in columns where
 * there may be hundreds of thousands.
 */

/**
 * A rule's expressions (expressions.ts makes them): text and the names of the chains, sets and maps that it leads to, in
 * turn, as in `["ip saddr vmap @", "m_1"]`. A text alone leads to none.
 */
export type Rule = string | readonly string[];

/** Where the kernel calls a base chain. What reaches its end is accepted. */
export interface Hook {
	/** `input`, `forward`, `output` or `postrouting`. */
	readonly hook: string;
	readonly priority: number;
}

export interface Chain {
	readonly kind: "chain";
	readonly name: string;
	readonly hook?: Hook;
	readonly rules: readonly Rule[];
}

export interface Counter {
	readonly kind: "counter";
	readonly name: string;
}

/** Matches until so many bytes went by, or from then on. */
export interface Quota {
	readonly kind: "quota";
	readonly name: string;
	readonly match: "until" | "over";
	readonly bytes: number;
	/** What went by before it was made; of one that is there already it changes nothing. Absent: nothing. */
	readonly used?: number;
}

/** What sets and maps have in common. */
interface Keyed {
	readonly name: string;
	/** Of a key: `ipv4_addr . inet_service`. */
	readonly type: string;
	readonly flags?: readonly ("interval" | "dynamic" | "timeout")[];
	/** Seconds. */
	readonly timeout?: number;
	/** Elements at most. */
	readonly size?: number;
	/** One a line; "" for none. */
	readonly keys: string;
}

export interface NftSet extends Keyed {
	readonly kind: "set";
}

/** What a key leads to. */
export type MapValue =
	| { readonly verdict: "goto" | "jump"; readonly chain: string }
	| {
			readonly counter: string /** As plans have it that an earlier version saved. */;
			readonly comment?: string;
	  };

export interface NftMap extends Keyed {
	readonly kind: "map";
	readonly to: "verdict" | "counter";
	readonly values: readonly MapValue[];
	/** For each key the position of its value. */
	readonly leads: readonly number[];
}

export type NftObject = Chain | Counter | Quota | NftSet | NftMap;

/** Kernel elements that an object costs. */
export function elementCount(object: NftObject): number {
	if (object.kind === "map") return object.leads.length;
	return object.kind === "set" ? keyCount(object.keys) : 0;
}

/** How many keys a text has, one a line. */
export function keyCount(keys: string): number {
	let count = keys === "" ? 0 : 1;
	for (let at = keys.indexOf("\n"); at >= 0; at = keys.indexOf("\n", at + 1)) count += 1;
	return count;
}

export function keysOf({ keys }: Pick<Keyed, "keys">): readonly string[] {
	return keys === "" ? [] : keys.split("\n");
}

/** The same object, leading to objects of other names. */
export function withReferences<Item extends NftObject>(
	object: Item,
	renamed: (name: string) => string,
): Item {
	if (object.kind === "chain") {
		const rules = object.rules.map((rule) =>
			typeof rule === "string" ? rule : rule.map((part, i) => (i % 2 === 1 ? renamed(part) : part)),
		);
		return { ...object, rules };
	}
	if (object.kind !== "map") return object;
	const values = object.values.map((value) =>
		"chain" in value ? { ...value, chain: renamed(value.chain) } : value,
	);
	return { ...object, values };
}
