/**
 * Reads a set of flows: elements of type `address . inet_proto . inet_service .
 * inet_service`. A daemon that starts learns from it what the one before refused.
 */

import { ENOENT } from "../../ffi/constants.ts";
import type { NetlinkSocket } from "../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "./address.ts";
import {
	AttributeTable,
	attributeRanges,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "./netlink-message.ts";
import { ask } from "./netlink-request.ts";
import { NFNL_SUBSYS_NFTABLES, NFPROTO_INET } from "./nftables-message.ts";

/** linux/netfilter/nf_tables.h */
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_GETSETELEM = 13;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_DATA_VALUE = 1;

export interface FlowTuple {
	readonly family: 4 | 6;
	readonly remote: string;
	/** IP protocol number. */
	readonly protocol: number;
	readonly remotePort: number;
	readonly localPort: number;
}

export type TuplesResult =
	| { readonly ok: true; readonly tuples: readonly FlowTuple[] }
	| { readonly ok: false; readonly error: string };

/**
 * The elements of a set in an inet table; none when there is no such set.
 * @param socket one of NETLINK_NETFILTER that nothing else is waiting on.
 */
export function readTuples(socket: NetlinkSocket, table: string, set: string, family: 4 | 6): TuplesResult {
	const sequence = 1;
	const request = new MessageWriter(
		(NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETSETELEM,
		NLM_F_REQUEST | NLM_F_DUMP,
		sequence,
	)
		.familyHeader(NFPROTO_INET)
		.text(NFTA_SET_ELEM_LIST_TABLE, table)
		.text(NFTA_SET_ELEM_LIST_SET, set)
		.finish();
	const list = new AttributeTable(NFTA_SET_ELEM_LIST_ELEMENTS);
	const element = new AttributeTable(NFTA_SET_ELEM_KEY);
	const key = new AttributeTable(NFTA_DATA_VALUE);
	const tuples: FlowTuple[] = [];
	const answer = ask(socket, request, sequence);
	for (;;) {
		const step = answer.next();
		if (step.done === true) {
			const answered = step.value;
			if (answered.ok || answered.errno === ENOENT) return { ok: true, tuples };
			return { ok: false, error: answered.error };
		}
		const cursor = step.value;
		if (cursor.type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM)) continue;
		list.read(cursor.bytes, cursor.start + FAMILY_HEADER_BYTES, cursor.end);
		const elements = list.copy(NFTA_SET_ELEM_LIST_ELEMENTS);
		if (elements === null) continue;
		for (const { start, end } of attributeRanges(elements)) {
			const value = key
				.readNested(element.read(elements, start, end), NFTA_SET_ELEM_KEY)
				.copy(NFTA_DATA_VALUE);
			const tuple = value === null ? null : readTuple(value, family);
			if (tuple !== null) tuples.push(tuple);
		}
	}
}

/** A concatenation starts each of its parts on a multiple of four bytes. */
function readTuple(key: Uint8Array, family: 4 | 6): FlowTuple | null {
	const size = family === 4 ? 4 : 16;
	if (key.length !== size + 12) return null;
	const view = new DataView(key.buffer, key.byteOffset);
	return {
		family,
		remote: family === 4 ? formatIpv4(key, 0) : formatIpv6(key, 0),
		protocol: view.getUint8(size),
		remotePort: view.getUint16(size + 4),
		localPort: view.getUint16(size + 8),
	};
}
