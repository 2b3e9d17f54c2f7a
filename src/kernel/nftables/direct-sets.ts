/** Sets and maps with their elements as the kernel's own messages have them. */

import { checkedKeys, checkedName, quoted } from "./check.ts";
import { anonymousSet, encodeValue, encodeVerdict } from "./direct-expressions.ts";
import { type KeyList, type KeyType, readKeys, readKeyType, successor } from "./direct-keys.ts";
import { verdictCodes } from "./direct-rules.ts";
import type { BatchWriter } from "./direct-writer.ts";
import type { NftMap, NftSet } from "./objects.ts";

/** linux/netfilter/nf_tables.h */
const SET_NAME = 2;
const SET_FLAGS = 3;
const SET_KEY_TYPE = 4;
const SET_KEY_LENGTH = 5;
const SET_DATA_TYPE = 6;
const SET_DATA_LENGTH = 7;
const SET_DESCRIPTION = 9;
const SET_ID = 10;
const SET_TIMEOUT = 11;
const SET_USERDATA = 13;
const SET_OBJECT_TYPE = 15;
const DESCRIPTION_SIZE = 1;
const DESCRIPTION_CONCATENATION = 2;
const FIELD_LENGTH = 1;
export const LIST_ELEM = 1;
export const ELEMENTS_SET = 2;
export const ELEMENTS_LIST = 3;
const ELEMENTS_SET_ID = 4;
export const ELEMENT_KEY = 1;
const ELEMENT_DATA = 2;
const ELEMENT_FLAGS = 3;
const ELEMENT_USERDATA = 6;
const ELEMENT_OBJECT = 9;
const ELEMENT_KEY_END = 10;

const flag = {
	interval: 0x4,
	map: 0x8,
	timeout: 0x10,
	dynamic: 0x20,
	object: 0x40,
	concatenation: 0x80,
} as const;
const INTERVAL_END = 0x1;
const VERDICT_TYPE = 0xffffff00;
const OBJECT_COUNTER = 1;

/** libnftnl/udata.h: what nft is told for its listings. */
const KEY_ORDER = 0;
const DATA_ORDER = 1;
const BIG_ENDIAN = 2;
const HOST_ENDIAN = 1;
const ELEMENT_COMMENT = 0;
const ELEMENT_UDATA_FLAGS = 1;
const OPEN_INTERVAL = 1;
const openInterval = Uint8Array.of(ELEMENT_UDATA_FLAGS, 4, OPEN_INTERVAL, 0, 0, 0);

/** An attribute's length has 16 bits; one element needs far less than what is left. */
const longestList = 60_000;

/** A set or map that is written without libnftables. */
export interface SetContent {
	readonly object: NftSet | NftMap;
	readonly type: KeyType;
	readonly interval: boolean;
	/** Elements by their positions in `keys`, in the order in which they are written. */
	readonly order: Uint32Array;
	readonly keys: KeyList;
}

/** What rules fill. Its elements last for a time, or as long as what they count. */
function isFilledByRules({ flags = [], timeout, keys }: NftSet | NftMap): boolean {
	return keys === "" && flags.join() === (timeout === undefined ? "dynamic" : "dynamic,timeout");
}

/** Null where it is left to libnftables: other types, other timeouts, and intervals that meet. */
export function readSet(object: NftSet | NftMap): SetContent | null {
	const { flags = [], timeout } = object;
	const type = readKeyType(object.type);
	if (type === null) return null;
	const filled = isFilledByRules(object);
	if (!filled && (timeout !== undefined || flags.some((name) => name !== "interval"))) return null;
	const interval = flags.includes("interval");
	const keys = readKeys(checkedKeys(object.keys), type);
	if (keys === null) return null;
	if (!interval && keys.ranges.includes(1)) return null;
	if (object.kind === "map") {
		const { leads, values } = object;
		if (leads.length !== keys.count || leads.some((lead) => values[lead] === undefined)) return null;
	}
	const order = new Uint32Array(keys.count).map((_, i) => i);
	if (!isTree({ type, interval })) return { object, type, interval, order, keys };
	order.sort((a, b) => keys.compareFirst(a, b));
	for (let i = 1; i < order.length; i++) {
		if (keys.compareAcross(order[i - 1] ?? 0, order[i] ?? 0) >= 0) return null;
	}
	return { object, type, interval, order, keys };
}

/** Intervals of one part are kept by where they begin and where they end. */
export function isTree({ type, interval }: Pick<SetContent, "type" | "interval">): boolean {
	return interval && type.fields.length === 1;
}

/** The attributes of a set behind its table. @param id unique in the batch. */
export function encodeSet(writer: BatchWriter, { object, type, interval }: SetContent, id: number): void {
	const { size } = object;
	const parts = type.fields.length;
	const map = object.kind === "map" ? (object.to === "counter" ? flag.object : flag.map) : 0;
	const verdicts = map === flag.map;
	const ranges = interval ? flag.interval | (parts > 1 ? flag.concatenation : 0) : 0;
	writer.text(SET_NAME, checkedName(object.name));
	const { timeout } = object;
	const filled = isFilledByRules(object) ? flag.dynamic : 0;
	writer.u32(SET_FLAGS, map | ranges | filled | (timeout === undefined ? 0 : flag.timeout));
	writer.u32(SET_KEY_TYPE, type.id);
	writer.u32(SET_KEY_LENGTH, type.length);
	if (verdicts) {
		writer.u32(SET_DATA_TYPE, VERDICT_TYPE);
		writer.u32(SET_DATA_LENGTH, 0);
	} else if (map !== 0) writer.u32(SET_OBJECT_TYPE, OBJECT_COUNTER);
	writer.u32(SET_ID, id);
	if (timeout !== undefined) writer.u64(SET_TIMEOUT, timeout * 1000);
	if (size !== undefined || (interval && parts > 1)) {
		const description = writer.open(SET_DESCRIPTION);
		if (size !== undefined) writer.u32(DESCRIPTION_SIZE, size);
		if (interval && parts > 1) {
			const fields = writer.open(DESCRIPTION_CONCATENATION);
			for (const { length } of type.fields) {
				const field = writer.open(LIST_ELEM);
				writer.u32(FIELD_LENGTH, length);
				writer.close(field);
			}
			writer.close(fields);
		}
		writer.close(description);
	}
	const order = parts > 1 ? 0 : type.bigEndian ? BIG_ENDIAN : HOST_ENDIAN;
	const data = verdicts ? [DATA_ORDER, 4, 0, 0, 0, 0] : [];
	writer.bytes(SET_USERDATA, Uint8Array.of(KEY_ORDER, 4, order, 0, 0, 0, ...data));
}

const CONSTANT_ANONYMOUS = 0x3;

/** The attributes of a set that one rule has for itself, behind its table. Its values have a byte each. */
export function encodeOwnSet(writer: BatchWriter, type: string, count: number, id: number): void {
	writer.text(SET_NAME, anonymousSet);
	writer.u32(SET_FLAGS, CONSTANT_ANONYMOUS);
	writer.u32(SET_KEY_TYPE, readKeyType(type)?.id ?? 0);
	writer.u32(SET_KEY_LENGTH, 1);
	writer.u32(SET_ID, id);
	const description = writer.open(SET_DESCRIPTION);
	writer.u32(DESCRIPTION_SIZE, count);
	writer.close(description);
	writer.bytes(SET_USERDATA, Uint8Array.of(KEY_ORDER, 4, BIG_ENDIAN, 0, 0, 0));
}

/** The attributes of its elements. */
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
	for (let i = 0; i < order.length; i++) {
		if (writer.length - list > longestList) {
			close();
			open();
		}
		const place = order[i] ?? 0;
		const after = tree ? successor(keys.last(place)) : null;
		encodeElement(writer, content, place, tree && after === null);
		// Also where the next one begins there: the kernel refuses a beginning that follows another.
		if (after !== null) encodeEnd(writer, after);
	}
	close();
}

/** The key from which on an interval holds no more. */
function encodeEnd(writer: BatchWriter, key: Uint8Array): void {
	const element = writer.open(LIST_ELEM);
	writer.u32(ELEMENT_FLAGS, INTERVAL_END);
	encodeValue(writer, ELEMENT_KEY, key);
	writer.close(element);
}

/** An interval as a tree keeps it. */
export interface TreeInterval {
	readonly first: Uint8Array;
	/** The key behind its last one; null where it goes on to the last key of all. */
	readonly end: Uint8Array | null;
	/** Position in `keys`; -1 for what begins the tree where no interval does. */
	readonly place: number;
	/** Whether that it has no end is told. */
	readonly unbounded: boolean;
}

/** What encodeElements writes of a tree, in rising order. */
export function treeIntervals({ keys, order, type }: SetContent): readonly TreeInterval[] {
	const intervals: TreeInterval[] = [];
	if (order.length > 0 && keys.first(order[0] ?? 0).some((byte) => byte !== 0))
		intervals.push({ first: new Uint8Array(type.length), end: null, place: -1, unbounded: false });
	for (const place of order) {
		const end = successor(keys.last(place));
		intervals.push({
			first: keys.first(place),
			end,
			place,
			unbounded: end === null,
		});
	}
	return intervals;
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
): void {
	const value = object.kind === "map" ? object.values[object.leads[place] ?? -1] : undefined;
	const element = writer.open(LIST_ELEM);
	encodeValue(writer, ELEMENT_KEY, keys.first(place));
	if (interval && type.fields.length > 1) encodeValue(writer, ELEMENT_KEY_END, keys.last(place));
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
	writer.close(element);
}
