/** The elements of sets and maps as the kernel's own messages have them. */

import { checkedKeys, checkedName, quoted } from "./check.ts";
import { anonymousSet, encodeValue, encodeVerdict } from "./direct-expressions.ts";
import { increase } from "./direct-keys.ts";
import { verdictCodes } from "./direct-rules.ts";
import { isTree, LIST_ELEM, type SetContent } from "./direct-sets.ts";
import type { TreeInterval } from "./direct-tree.ts";
import type { BatchWriter } from "./direct-writer.ts";

/** linux/netfilter/nf_tables.h */
export const ELEMENTS_SET = 2;
export const ELEMENTS_LIST = 3;
const ELEMENTS_SET_ID = 4;
export const ELEMENT_KEY = 1;
const ELEMENT_DATA = 2;
const ELEMENT_FLAGS = 3;
const ELEMENT_USERDATA = 6;
const ELEMENT_OBJECT = 9;
const ELEMENT_KEY_END = 10;
const INTERVAL_END = 0x1;

/** libnftnl/udata.h: what nft is told for its listings. */
const ELEMENT_COMMENT = 0;
const ELEMENT_UDATA_FLAGS = 1;
const OPEN_INTERVAL = 1;
const openInterval = Uint8Array.of(ELEMENT_UDATA_FLAGS, 4, OPEN_INTERVAL, 0, 0, 0);

/** An attribute's length has 16 bits; one element needs far less than what is left. */
const longestList = 60_000;

/** The attributes of the elements of a set that one rule has for itself. */
export function encodeOwnElements(writer: BatchWriter, values: readonly number[], id: number): void {
	writer.text(ELEMENTS_SET, anonymousSet);
	writer.u32(ELEMENTS_SET_ID, id);
	const list = writer.open(ELEMENTS_LIST);
	for (const value of values) {
		const element = writer.open(LIST_ELEM);
		encodeValue(writer, ELEMENT_KEY, Uint8Array.of(value));
		writer.close(element);
	}
	writer.close(list);
}

/** IFNAMSIZ of linux/if.h: what a key of an interface has, the NULs behind its name included. */
const interfaceLength = 16;

/** An attribute's length has 16 bits. */
const mostInterfaces = 1000;

/** The names of keys that are interfaces; null where any is not. */
export function readInterfaces(keys: string): readonly string[] | null {
	const names = checkedKeys(keys)
		.split("\n")
		.map((key) => /^"([\w.@+-]{1,15})"$/.exec(key)?.[1]);
	return names.length > mostInterfaces || names.includes(undefined)
		? null
		: names.filter((name) => name !== undefined);
}

/** The attributes of elements that are interfaces, of a set that is there: few enough for one list. */
export function encodeInterfaces(writer: BatchWriter, set: string, names: readonly string[]): void {
	writer.text(ELEMENTS_SET, set);
	const list = writer.open(ELEMENTS_LIST);
	for (const name of names) {
		const key = new Uint8Array(interfaceLength);
		key.set(Buffer.from(name, "latin1"));
		const element = writer.open(LIST_ELEM);
		encodeValue(writer, ELEMENT_KEY, key);
		writer.close(element);
	}
	writer.close(list);
}

/** Writes all elements, in messages that `begin` begins and `end` ends. */
export function encodeElements(
	writer: BatchWriter,
	content: SetContent,
	begin: () => number,
	end: (message: number) => void,
): void {
	const { keys, order, type } = content;
	const name = checkedName(content.object.name);
	const tree = isTree(content);
	let message = -1;
	let list = -1;
	const open = () => {
		message = begin();
		writer.text(ELEMENTS_SET, name);
		list = writer.open(ELEMENTS_LIST);
	};
	const close = () => {
		writer.close(list);
		end(message);
	};
	open();
	// nft begins with what no interval holds.
	if (tree && keys.first(order[0] ?? 0).some((byte) => byte !== 0))
		encodeEnd(writer, new Uint8Array(type.length));
	const write = elementWriter(writer, content);
	for (let i = 0; i < order.length; i++) {
		if (writer.length - list > longestList) {
			close();
			open();
		}
		write(order[i] ?? 0);
	}
	close();
}

/** Where an element was written, and where its keys lie in it; `keyEnd` is -1 where it has one key. */
interface Written {
	readonly from: number;
	readonly to: number;
	readonly key: number;
	readonly keyEnd: number;
}

/**
 * Writes one element after the other, and of a tree where it ends. Elements that lead to the same differ in the bytes of
 * their keys alone, so what was written of the first is copied for the others.
 */
function elementWriter(writer: BatchWriter, content: SetContent): (place: number) => void {
	const { keys, object, type } = content;
	const { length } = type;
	const tree = isTree(content);
	const leads = object.kind === "map" ? object.leads : [];
	const alike = new Map<number, Written>();
	let ended: Written | null = null;
	const end = new Uint8Array(length);
	const copy = ({ from, to, key, keyEnd }: Written, first: Uint8Array, last: Uint8Array, at: number) => {
		const moved = writer.repeat(from, to) - from;
		writer.overwrite(key + moved, first, at, length);
		if (keyEnd >= 0) writer.overwrite(keyEnd + moved, last, at, length);
	};
	return (place) => {
		const at = place * length;
		for (let i = 0; i < length; i++) end[i] = keys.lasts[at + i] ?? 0;
		const bounded = tree && increase(end, 0, length);
		const kind = 2 * (leads[place] ?? -1) + (tree && !bounded ? 1 : 0);
		const like = alike.get(kind);
		if (like === undefined) alike.set(kind, encodeElement(writer, content, place, tree && !bounded));
		else copy(like, keys.firsts, keys.lasts, at);
		// Also where the next one begins there: the kernel refuses a beginning that follows another.
		if (!bounded) return;
		if (ended === null) ended = encodeEnd(writer, end);
		else copy(ended, end, end, 0);
	};
}

/** The key from which on an interval holds no more. */
function encodeEnd(writer: BatchWriter, bytes: Uint8Array): Written {
	const from = writer.open(LIST_ELEM);
	writer.u32(ELEMENT_FLAGS, INTERVAL_END);
	const key = encodeKey(writer, ELEMENT_KEY, bytes);
	writer.close(from);
	return { from, to: writer.length, key, keyEnd: -1 };
}

/** Returns where its bytes lie. */
function encodeKey(writer: BatchWriter, type: number, key: Uint8Array): number {
	encodeValue(writer, type, key);
	return writer.length - ((key.length + 3) & ~3);
}

/** Writes an interval of a tree. */
export function encodeInterval(writer: BatchWriter, content: SetContent, interval: TreeInterval): void {
	const { first, end, place, unbounded } = interval;
	if (place < 0) encodeEnd(writer, first);
	else encodeElement(writer, content, place, unbounded);
	if (end !== null) encodeEnd(writer, end);
}

/** Names an interval of a tree, as its deletion does. */
export function encodeIntervalKeys(writer: BatchWriter, { first, end, place }: TreeInterval): void {
	if (place < 0) encodeEnd(writer, first);
	else {
		const element = writer.open(LIST_ELEM);
		encodeValue(writer, ELEMENT_KEY, first);
		writer.close(element);
	}
	if (end !== null) encodeEnd(writer, end);
}

/** Writes elements of a set in messages that `begin` begins and `end` ends; `write` writes one. */
export function encodeList<Item>(
	writer: BatchWriter,
	set: string,
	items: readonly Item[],
	write: (item: Item) => void,
	message: { readonly begin: () => number; readonly end: (message: number) => void },
): void {
	for (let from = 0; from < items.length; ) {
		const begun = message.begin();
		writer.text(ELEMENTS_SET, checkedName(set));
		const list = writer.open(ELEMENTS_LIST);
		for (; from < items.length && writer.length - list <= longestList; from++) {
			const item = items[from];
			if (item !== undefined) write(item);
		}
		writer.close(list);
		message.end(begun);
	}
}

/** @param unbounded whether it is an interval of a tree that goes on to the last key. */
function encodeElement(
	writer: BatchWriter,
	{ keys, object, type, interval }: SetContent,
	place: number,
	unbounded: boolean,
): Written {
	const value = object.kind === "map" ? object.values[object.leads[place] ?? -1] : undefined;
	const from = writer.open(LIST_ELEM);
	const key = encodeKey(writer, ELEMENT_KEY, keys.first(place));
	const ranged = interval && type.fields.length > 1;
	const keyEnd = ranged ? encodeKey(writer, ELEMENT_KEY_END, keys.last(place)) : -1;
	if (value !== undefined && "chain" in value)
		encodeVerdict(writer, ELEMENT_DATA, verdictCodes[value.verdict], checkedName(value.chain));
	if (value !== undefined && "counter" in value) {
		const { comment } = value;
		if (comment !== undefined) {
			// Checked as the text that it would be.
			quoted(comment);
			writer.text(ELEMENT_USERDATA, comment, [ELEMENT_COMMENT, comment.length + 1]);
		}
		writer.text(ELEMENT_OBJECT, checkedName(value.counter));
	} else if (unbounded) writer.bytes(ELEMENT_USERDATA, openInterval);
	writer.close(from);
	return { from, to: writer.length, key, keyEnd };
}
