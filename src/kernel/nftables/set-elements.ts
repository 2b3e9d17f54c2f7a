/** Reads the elements of a set of an inet table. */

import { ENOENT } from "../../../ffi/constants.ts";
import type { NetlinkSocket } from "../../../ffi/netlink.ts";
import {
	AttributeTable,
	attributeRanges,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "../netlink-message.ts";
import { askEach } from "../netlink-request.ts";
import {
	NFNL_SUBSYS_NFTABLES,
	NFPROTO_INET,
	NFT_MSG_GETSETELEM,
	NFT_MSG_NEWSETELEM,
	NFTA_DATA_VALUE,
	NFTA_TABLE,
} from "../nftables-message.ts";

/** linux/netfilter/nf_tables.h */
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_KEY = 1;
/** The attributes of an element that readers read besides its key. */
export const NFTA_SET_ELEM_EXPIRATION = 5;
export const NFTA_SET_ELEM_EXPR = 7;

/**
 * Gives the key and the attributes of every element of a set to `each`: good until it returns. A set that is written
 * meanwhile may give one twice, or not at all. A set that is not there has none.
 * @param socket one of NETLINK_NETFILTER that nothing else is waiting on.
 * @returns an error text, or null.
 */
export function readElements(
	socket: NetlinkSocket,
	table: string,
	set: string,
	each: (key: Uint8Array, element: AttributeTable) => void,
): string | null {
	const sequence = 1;
	const message = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETSETELEM;
	const request = new MessageWriter(message, NLM_F_REQUEST | NLM_F_DUMP, sequence)
		.familyHeader(NFPROTO_INET)
		.text(NFTA_TABLE, table)
		.text(NFTA_SET_ELEM_LIST_SET, set)
		.finish();
	const list = new AttributeTable(NFTA_SET_ELEM_LIST_ELEMENTS);
	const element = new AttributeTable(NFTA_SET_ELEM_EXPR);
	const key = new AttributeTable(NFTA_DATA_VALUE);
	const answer = askEach(socket, request, sequence, ({ type, bytes, start, end }) => {
		if (type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM)) return;
		const elements = list.read(bytes, start + FAMILY_HEADER_BYTES, end).copy(NFTA_SET_ELEM_LIST_ELEMENTS);
		if (elements === null) return;
		for (const range of attributeRanges(elements)) {
			key.readNested(element.read(elements, range.start, range.end), NFTA_SET_ELEM_KEY);
			const at = key.offset(NFTA_DATA_VALUE);
			const length = key.length(NFTA_DATA_VALUE);
			if (length >= 0) each(elements.subarray(at, at + length), element);
		}
	});
	return answer.ok || answer.errno === ENOENT ? null : answer.error;
}
