/** Reads the named counters of our table (nf_tables' NFT_MSG_GETOBJ), without libnftables' cost of listing everything. */

import { ENOENT } from "../../../../ffi/constants.ts";
import type { NetlinkSocket } from "../../../../ffi/netlink.ts";
import {
	AttributeTable,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "../../../kernel/netlink-message.ts";
import { ask } from "../../../kernel/netlink-request.ts";
import {
	NFNL_SUBSYS_NFTABLES,
	NFPROTO_INET,
	NFT_MSG_GETOBJ,
	NFT_MSG_NEWOBJ,
	NFT_OBJECT_COUNTER,
	NFTA_OBJ_DATA,
	NFTA_OBJ_NAME,
	NFTA_OBJ_TYPE,
	NFTA_TABLE,
} from "../../../kernel/nftables-message.ts";

/** linux/netfilter/nf_tables.h */
const NFTA_COUNTER_BYTES = 1;
const NFTA_COUNTER_PACKETS = 2;

/** A dump that keeps changing under us is read this often at most; then its numbers are taken as they are. */
const ATTEMPTS = 3;

/** Cumulative; exact up to 2^53. */
export interface CounterValue {
	readonly packets: number;
	readonly bytes: number;
}

export type CountersResult =
	| { readonly ok: true; readonly counters: ReadonlyMap<string, CounterValue> }
	| { readonly ok: false; readonly error: string };

/**
 * All counters of an inet table by name; none when there is no such table.
 * @param socket one of NETLINK_NETFILTER that nothing else is waiting on.
 */
export function readCounters(socket: NetlinkSocket, table: string): CountersResult {
	for (let attempt = 1; ; attempt++) {
		const counters = new Map<string, CounterValue>();
		const answer = dump(socket, table, attempt, counters);
		if (!answer.ok) {
			return answer.errno === ENOENT ? { ok: true, counters: new Map() } : { ok: false, error: answer.error };
		}
		if (!answer.interrupted || attempt === ATTEMPTS) return { ok: true, counters };
	}
}

function dump(socket: NetlinkSocket, table: string, sequence: number, counters: Map<string, CounterValue>) {
	const request = new MessageWriter(
		(NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETOBJ,
		NLM_F_REQUEST | NLM_F_DUMP,
		sequence,
	)
		.familyHeader(NFPROTO_INET)
		.text(NFTA_TABLE, table)
		.u32(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER)
		.finish();
	const object = new AttributeTable(NFTA_OBJ_DATA);
	const data = new AttributeTable(NFTA_COUNTER_PACKETS);
	const answer = ask(socket, request, sequence);
	for (;;) {
		const step = answer.next();
		if (step.done === true) return step.value;
		const cursor = step.value;
		if (cursor.type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWOBJ)) continue;
		object.read(cursor.bytes, cursor.start + FAMILY_HEADER_BYTES, cursor.end);
		const name = object.text(NFTA_OBJ_NAME);
		if (
			name === null ||
			object.text(NFTA_TABLE) !== table ||
			object.u32(NFTA_OBJ_TYPE) !== NFT_OBJECT_COUNTER
		) {
			continue;
		}
		data.readNested(object, NFTA_OBJ_DATA);
		counters.set(name, {
			packets: data.u64(NFTA_COUNTER_PACKETS) ?? 0,
			bytes: data.u64(NFTA_COUNTER_BYTES) ?? 0,
		});
	}
}
