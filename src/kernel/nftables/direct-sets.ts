/** Sets and maps as the kernel's own messages have them; direct-elements.ts has their elements. */

import { checkedKeys, checkedName } from "./check.ts";
import { anonymousSet } from "./direct-expressions.ts";
import { type KeyList, type KeyType, readKeys, readKeyType } from "./direct-keys.ts";
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

const flag = {
	interval: 0x4,
	map: 0x8,
	timeout: 0x10,
	dynamic: 0x20,
	object: 0x40,
	concatenation: 0x80,
} as const;
const VERDICT_TYPE = 0xffffff00;
const OBJECT_COUNTER = 1;

/** libnftnl/udata.h: what nft is told for its listings. */
const KEY_ORDER = 0;
const DATA_ORDER = 1;
const BIG_ENDIAN = 2;
const HOST_ENDIAN = 1;

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

/** Who writes an object asks more than once what is in it, and who changes it asks again. */
const known = new WeakMap<NftSet | NftMap, { readonly content: SetContent | null }>();

/** Null where it is left to libnftables: other types, other timeouts, and intervals that meet. */
export function readSet(object: NftSet | NftMap): SetContent | null {
	const before = known.get(object);
	if (before !== undefined) return before.content;
	const content = readContent(object);
	known.set(object, { content });
	return content;
}

function readContent(object: NftSet | NftMap): SetContent | null {
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
	const rises = () => order.every((place, i) => i === 0 || keys.compareAcross(order[i - 1] ?? 0, place) < 0);
	// Plans have them in order, and looking costs less than sorting.
	if (!rises()) {
		order.sort((a, b) => keys.compareFirst(a, b));
		if (!rises()) return null;
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
