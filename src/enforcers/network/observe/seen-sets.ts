/** Reads the sets in which the kernel counts new flows: see compile/render/seen.ts. */

import { ENOENT } from "../../../../ffi/constants.ts";
import type { NetlinkSocket } from "../../../../ffi/netlink.ts";
import type { Family } from "../../../base/model.ts";
import {
	AttributeTable,
	attributeRanges,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_ACK,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "../../../kernel/netlink-message.ts";
import { ask } from "../../../kernel/netlink-request.ts";
import {
	NFNL_SUBSYS_NFTABLES,
	NFPROTO_INET,
	NFT_MSG_GETOBJ,
	NFT_MSG_GETSETELEM,
	NFT_MSG_NEWOBJ,
	NFT_MSG_NEWSETELEM,
	NFT_OBJECT_COUNTER,
	NFTA_DATA_VALUE,
	NFTA_EXPR_DATA,
	NFTA_OBJ_NAME,
	NFTA_OBJ_TYPE,
	NFTA_TABLE,
} from "../../../kernel/nftables-message.ts";
import { type SeenKind, type SeenPlace, seenSet } from "../names.ts";

/** linux/netfilter/nf_tables.h */
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_EXPIRATION = 5;
const NFTA_SET_ELEM_EXPR = 7;
const NFTA_COUNTER_PACKETS = 2;
const NFTA_OBJ_DATA = 4;

/** One element; good until the next one. */
export interface SeenElement {
	key: Uint8Array;
	/** Packets since the element was made. */
	count: number;
	/** Milliseconds until it is forgotten, which every packet of its flow sets to the whole time. */
	left: number;
}

/** A named counter's packets; null where it is not there, or cannot be read. */
export function readSeenCounter(socket: NetlinkSocket, table: string, name: string): number | null {
	const sequence = 1;
	const request = new MessageWriter(
		(NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETOBJ,
		NLM_F_REQUEST | NLM_F_ACK,
		sequence,
	)
		.familyHeader(NFPROTO_INET)
		.text(NFTA_TABLE, table)
		.text(NFTA_OBJ_NAME, name)
		.u32(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER)
		.finish();
	const object = new AttributeTable(NFTA_OBJ_DATA);
	const data = new AttributeTable(NFTA_COUNTER_PACKETS);
	const answer = ask(socket, request, sequence);
	let packets: number | null = null;
	for (;;) {
		const step = answer.next();
		if (step.done === true) return packets;
		const cursor = step.value;
		if (cursor.type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWOBJ)) continue;
		object.read(cursor.bytes, cursor.start + FAMILY_HEADER_BYTES, cursor.end);
		packets = data.readNested(object, NFTA_OBJ_DATA).u64(NFTA_COUNTER_PACKETS);
	}
}

/** Where the parts of a key are, in bytes: each begins at a multiple of four. */
export interface KeyPlaces {
	readonly interface: 0;
	readonly remote: 4;
	/** Null where flows have no guest. */
	readonly guest: number | null;
	readonly protocol: number;
	/** Null where the set has none. */
	readonly port: number | null;
	readonly length: number;
}

export function keyPlaces({ family, forwarded }: SeenPlace, kind: SeenKind): KeyPlaces {
	const address: Readonly<Record<Family, number>> = { 4: 4, 6: 16 };
	const guest = forwarded ? 4 + address[family] : null;
	const protocol = 4 + address[family] * (forwarded ? 2 : 1);
	const port = kind === "named" ? protocol + 4 : null;
	return { interface: 0, remote: 4, guest, protocol, port, length: (port ?? protocol) + 4 };
}

/**
 * Gives every element of a set to `each`, which a set that is written meanwhile may give twice, or not at all. A set
 * that is not there has none. Returns an error text, or null.
 * @param socket one of NETLINK_NETFILTER that nothing else is waiting on.
 */
export function readSeen(
	socket: NetlinkSocket,
	table: string,
	place: SeenPlace,
	kind: SeenKind,
	each: (element: SeenElement) => void,
): string | null {
	const sequence = 1;
	const request = new MessageWriter(
		(NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETSETELEM,
		NLM_F_REQUEST | NLM_F_DUMP,
		sequence,
	)
		.familyHeader(NFPROTO_INET)
		.text(NFTA_TABLE, table)
		.text(NFTA_SET_ELEM_LIST_SET, seenSet(place, kind))
		.finish();
	const list = new AttributeTable(NFTA_SET_ELEM_LIST_ELEMENTS);
	const element = new AttributeTable(NFTA_SET_ELEM_EXPR);
	const inner = new AttributeTable(NFTA_EXPR_DATA);
	const counter = new AttributeTable(NFTA_COUNTER_PACKETS);
	const found: SeenElement = { key: new Uint8Array(0), count: 0, left: 0 };
	const { length } = keyPlaces(place, kind);
	const answer = ask(socket, request, sequence);
	for (;;) {
		const step = answer.next();
		if (step.done === true) return step.value.ok || step.value.errno === ENOENT ? null : step.value.error;
		const cursor = step.value;
		if (cursor.type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM)) continue;
		list.read(cursor.bytes, cursor.start + FAMILY_HEADER_BYTES, cursor.end);
		const elements = list.copy(NFTA_SET_ELEM_LIST_ELEMENTS);
		if (elements === null) continue;
		for (const { start, end } of attributeRanges(elements)) {
			element.read(elements, start, end);
			inner.readNested(element, NFTA_SET_ELEM_KEY);
			const at = inner.offset(NFTA_DATA_VALUE);
			if (inner.length(NFTA_DATA_VALUE) !== length) continue;
			found.key = elements.subarray(at, at + length);
			found.left = element.u64(NFTA_SET_ELEM_EXPIRATION) ?? 0;
			inner.readNested(element, NFTA_SET_ELEM_EXPR);
			counter.readNested(inner, NFTA_EXPR_DATA);
			found.count = counter.u64(NFTA_COUNTER_PACKETS) ?? 0;
			each(found);
		}
	}
}
