/** Reads named objects of an inet table: counters and quotas, with what the kernel has counted. */

import type { NetlinkSocket } from "../../../ffi/netlink.ts";
import {
	AttributeTable,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_ACK,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "../netlink-message.ts";
import { type Answer, askEach } from "../netlink-request.ts";
import {
	NFNL_SUBSYS_NFTABLES,
	NFPROTO_INET,
	NFT_MSG_GETOBJ,
	NFT_MSG_GETOBJ_RESET,
	NFT_MSG_NEWOBJ,
	type NFT_OBJECT_COUNTER,
	type NFT_OBJECT_QUOTA,
	NFTA_OBJ_DATA,
	NFTA_OBJ_NAME,
	NFTA_OBJ_TYPE,
	NFTA_TABLE,
} from "../nftables-message.ts";

/** linux/netfilter/nf_tables.h */
const NFTA_COUNTER_BYTES = 1;
const NFTA_COUNTER_PACKETS = 2;
const NFTA_QUOTA_CONSUMED = 4;

/** What an object has counted since it was made, or was last reset. */
export interface ObjectValue {
	/** Of a counter. */
	readonly packets: number;
	/** Of a counter. */
	readonly bytes: number;
	/** Bytes, of a quota; at most its limit, whatever came beyond. */
	readonly used: number;
}

export interface ObjectRequest {
	readonly table: string;
	readonly type: typeof NFT_OBJECT_COUNTER | typeof NFT_OBJECT_QUOTA;
	/** All of the type without one. */
	readonly name?: string;
	/** Whether it begins anew, after it was read. */
	readonly reset?: boolean;
}

/**
 * Gives each object that was asked for to `each`, and tells how the answer ended: with ENOENT where the table, or the
 * object, is not there.
 * @param socket one of NETLINK_NETFILTER that nothing else is waiting on.
 * @param sequence of the request: another one than those of the requests before it over this socket.
 */
export function readObjects(
	socket: NetlinkSocket,
	sequence: number,
	{ table, type, name, reset = false }: ObjectRequest,
	each: (name: string, value: ObjectValue) => void,
): Answer {
	const message = (NFNL_SUBSYS_NFTABLES << 8) | (reset ? NFT_MSG_GETOBJ_RESET : NFT_MSG_GETOBJ);
	const flags = NLM_F_REQUEST | (name === undefined ? NLM_F_DUMP : NLM_F_ACK);
	const all = new MessageWriter(message, flags, sequence).familyHeader(NFPROTO_INET).text(NFTA_TABLE, table);
	const request = (name === undefined ? all : all.text(NFTA_OBJ_NAME, name))
		.u32(NFTA_OBJ_TYPE, type)
		.finish();
	const object = new AttributeTable(NFTA_OBJ_DATA);
	const data = new AttributeTable(NFTA_QUOTA_CONSUMED);
	return askEach(socket, request, sequence, ({ type: answered, bytes, start, end }) => {
		if (answered !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWOBJ)) return;
		object.read(bytes, start + FAMILY_HEADER_BYTES, end);
		const found = object.text(NFTA_OBJ_NAME);
		// Kernels that do not filter dump every object there is.
		if (found === null || object.text(NFTA_TABLE) !== table || object.u32(NFTA_OBJ_TYPE) !== type) return;
		data.readNested(object, NFTA_OBJ_DATA);
		each(found, {
			packets: data.u64(NFTA_COUNTER_PACKETS) ?? 0,
			bytes: data.u64(NFTA_COUNTER_BYTES) ?? 0,
			used: data.u64(NFTA_QUOTA_CONSUMED) ?? 0,
		});
	});
}
