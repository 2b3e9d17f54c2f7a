/** The bridges that lead to other hosts: behind every other bridge are guests. Pure. */

import { isPlainInterface } from "../../../document/iface.ts";
import { addElements, type Command, flush } from "../../../kernel/nftables/commands.ts";
import { interfaceType, quotedInterface } from "../../../kernel/nftables/expressions.ts";
import type { NftSet } from "../../../kernel/nftables/objects.ts";
import { uplinkSet } from "../names.ts";

/** More than hosts have bridges. What is not in the set is taken for a guest's, and judged. */
const most = 4096;

/** The set with these names. */
export function uplinkObject(names: readonly string[]): NftSet {
	return { kind: "set", name: uplinkSet, type: interfaceType, size: most, keys: keys(names).join("\n") };
}

/** Replaces what the set holds, in one transaction. */
export function replaceUplinks(names: readonly string[]): readonly Command[] {
	const elements = keys(names);
	const emptied = flush("set", uplinkSet);
	return elements.length === 0 ? [emptied] : [emptied, addElements(uplinkSet, elements)];
}

/** No rule can name another interface. */
function keys(names: readonly string[]): string[] {
	return [...new Set(names)].filter(isPlainInterface).sort().slice(0, most).map(quotedInterface);
}
