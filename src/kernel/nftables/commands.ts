/** What a transaction does to one table of family inet, as values. */

import type { NftObject, Rule } from "./objects.ts";

/** What a command deletes or empties by its name. */
export type NamedKind = NftObject["kind"];

export type Command =
	/** `create` fails where there is such a table. */
	| { readonly do: "add-table" | "create-table" | "delete-table" }
	/** Makes the table and the objects that are missing; to those that are there it adds rules and elements. */
	| { readonly do: "declare"; readonly objects: readonly NftObject[] }
	/** Makes an object that may be there, without its rules and elements; the table has to be there. */
	| { readonly do: "add"; readonly object: NftObject }
	| { readonly do: "flush"; readonly kind: "chain" | "set" | "map"; readonly name: string }
	| { readonly do: "delete"; readonly kind: NamedKind; readonly name: string }
	| { readonly do: "add-rules"; readonly chain: string; readonly rules: readonly Rule[] }
	/** `keys` as in objects.ts. */
	| { readonly do: "add-elements"; readonly set: string; readonly keys: string };

export const addTable: Command = { do: "add-table" };
export const createTable: Command = { do: "create-table" };
export const deleteTable: Command = { do: "delete-table" };

export function declare(objects: readonly NftObject[]): Command {
	return { do: "declare", objects };
}

export function add(object: NftObject): Command {
	return { do: "add", object };
}

export function flush(kind: "chain" | "set" | "map", name: string): Command {
	return { do: "flush", kind, name };
}

export function remove(kind: NamedKind, name: string): Command {
	return { do: "delete", kind, name };
}

export function addRules(chain: string, rules: readonly Rule[]): Command {
	return { do: "add-rules", chain, rules };
}

export function addElements(set: string, keys: readonly string[]): Command {
	return { do: "add-elements", set, keys: keys.join("\n") };
}
