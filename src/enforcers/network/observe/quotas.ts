/** Reads and resets the quotas of our table, each by its own message: libnftables would list the whole table. */

import { ENOENT } from "../../../../ffi/constants.ts";
import type { NetlinkSocket } from "../../../../ffi/netlink.ts";
import {
	AttributeTable,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_ACK,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "../../../kernel/netlink-message.ts";
import { type Answer, ask } from "../../../kernel/netlink-request.ts";
import {
	NFNL_SUBSYS_NFTABLES,
	NFPROTO_INET,
	NFT_MSG_GETOBJ,
	NFT_MSG_GETOBJ_RESET,
	NFT_OBJECT_COUNTER,
	NFT_OBJECT_QUOTA,
	NFTA_OBJ_DATA,
	NFTA_OBJ_NAME,
	NFTA_OBJ_TYPE,
	NFTA_TABLE,
} from "../../../kernel/nftables-message.ts";
import type { CounterValue } from "./counters.ts";

/** linux/netfilter/nf_tables.h */
const NFTA_COUNTER_BYTES = 1;
const NFTA_COUNTER_PACKETS = 2;
const NFTA_QUOTA_CONSUMED = 4;

/** What the kernel says of quotas. */
export interface QuotaReading {
	/** Bytes that were used, by the object's name; of one that is exhausted its limit, whatever came beyond. */
	readonly used: Readonly<Record<string, number>>;
	/** Of the counters that were asked for, those that are there. */
	readonly over: Readonly<Record<string, CounterValue>>;
}

export interface QuotaRequest {
	/** Counters that are read as well. */
	readonly counters: readonly string[];
	/** Quotas that begin anew, after they were read. */
	readonly reset: readonly string[];
}

/**
 * All quotas of an inet table. None where there is no such table; null where they cannot be read. What is reset is what
 * was read: nothing that a packet uses between the two is lost.
 * @param socket one of NETLINK_NETFILTER that nothing else is waiting on.
 */
export function readQuotas(
	socket: NetlinkSocket,
	table: string,
	{ counters, reset }: QuotaRequest,
): QuotaReading | null {
	const used: Record<string, number> = Object.create(null);
	const over: Record<string, CounterValue> = Object.create(null);
	const object = new AttributeTable(NFTA_OBJ_DATA);
	const data = new AttributeTable(NFTA_QUOTA_CONSUMED);
	let sequence = 0;
	const asked = (message: number, flags: number, type: number, name?: string): boolean => {
		sequence += 1;
		const header = new MessageWriter((NFNL_SUBSYS_NFTABLES << 8) | message, NLM_F_REQUEST | flags, sequence);
		const writer = header.familyHeader(NFPROTO_INET).text(NFTA_TABLE, table);
		const named = name === undefined ? writer : writer.text(NFTA_OBJ_NAME, name);
		const answer = read(socket, named.u32(NFTA_OBJ_TYPE, type).finish(), sequence, (bytes, start, end) => {
			object.read(bytes, start, end);
			const found = object.text(NFTA_OBJ_NAME);
			if (found === null || object.text(NFTA_TABLE) !== table || object.u32(NFTA_OBJ_TYPE) !== type) return;
			data.readNested(object, NFTA_OBJ_DATA);
			if (type === NFT_OBJECT_QUOTA) used[found] = data.u64(NFTA_QUOTA_CONSUMED) ?? 0;
			else {
				const packets = data.u64(NFTA_COUNTER_PACKETS) ?? 0;
				over[found] = { packets, bytes: data.u64(NFTA_COUNTER_BYTES) ?? 0 };
			}
		});
		// What is not there is no error: the table may have gone, or a quota with it.
		return answer.ok || answer.errno === ENOENT;
	};
	const all =
		asked(NFT_MSG_GETOBJ, NLM_F_DUMP, NFT_OBJECT_QUOTA) &&
		counters.every((name) => asked(NFT_MSG_GETOBJ, NLM_F_ACK, NFT_OBJECT_COUNTER, name)) &&
		reset.every((name) => asked(NFT_MSG_GETOBJ_RESET, NLM_F_ACK, NFT_OBJECT_QUOTA, name));
	return all ? { used, over } : null;
}

function read(
	socket: NetlinkSocket,
	request: Uint8Array,
	sequence: number,
	each: (bytes: Uint8Array, start: number, end: number) => void,
): Answer {
	const answer = ask(socket, request, sequence);
	for (;;) {
		const step = answer.next();
		if (step.done === true) return step.value;
		const cursor = step.value;
		each(cursor.bytes, cursor.start + FAMILY_HEADER_BYTES, cursor.end);
	}
}
