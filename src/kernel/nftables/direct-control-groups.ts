/** Elements that are control groups, as the kernel's own messages have them: by their numbers alone. */

import { checkedKeys } from "./check.ts";
import { ELEMENT_KEY, ELEMENTS_LIST, ELEMENTS_SET } from "./direct-elements.ts";
import { encodeValue } from "./direct-expressions.ts";
import { LIST_ELEM } from "./direct-sets.ts";
import type { BatchWriter } from "./direct-writer.ts";

/** An attribute's length has 16 bits. */
const mostControlGroups = 1000;

/** The numbers of keys that are control groups; null where any is none. */
export function readControlGroups(keys: string): readonly bigint[] | null {
	const numbers = checkedKeys(keys).split("\n");
	if (numbers.length > mostControlGroups || !numbers.every((key) => /^[1-9]\d{0,18}$/.test(key))) return null;
	return numbers.map(BigInt);
}

/** The attributes of elements that are control groups, of a set that is there: few enough for one list. */
export function encodeControlGroups(writer: BatchWriter, set: string, numbers: readonly bigint[]): void {
	writer.text(ELEMENTS_SET, set);
	const list = writer.open(ELEMENTS_LIST);
	for (const number of numbers) {
		const key = new Uint8Array(8);
		// In the machine's own order, which is little-endian.
		new DataView(key.buffer).setBigUint64(0, number, true);
		const element = writer.open(LIST_ELEM);
		encodeValue(writer, ELEMENT_KEY, key);
		writer.close(element);
	}
	writer.close(list);
}
