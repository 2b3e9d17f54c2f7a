/** Reads the named counters of our table (nf_tables' NFT_MSG_GETOBJ), without libnftables' cost of listing everything. */

import { ENOENT } from "../../../../ffi/constants.ts";
import type { NetlinkSocket } from "../../../../ffi/netlink.ts";
import { readObjects } from "../../../kernel/nftables/object-values.ts";
import { NFT_OBJECT_COUNTER } from "../../../kernel/nftables-message.ts";

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
		const answer = readObjects(
			socket,
			attempt,
			{ table, type: NFT_OBJECT_COUNTER },
			(name, { packets, bytes }) => counters.set(name, { packets, bytes }),
		);
		if (!answer.ok) {
			return answer.errno === ENOENT ? { ok: true, counters: new Map() } : { ok: false, error: answer.error };
		}
		if (!answer.interrupted || attempt === ATTEMPTS) return { ok: true, counters };
	}
}
