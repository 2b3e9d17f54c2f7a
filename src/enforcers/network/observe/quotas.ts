/** Reads and resets the quotas of our table, each by its own message: libnftables would list the whole table. */

import { ENOENT } from "../../../../ffi/constants.ts";
import type { NetlinkSocket } from "../../../../ffi/netlink.ts";
import { type ObjectRequest, readObjects } from "../../../kernel/nftables/object-values.ts";
import { NFT_OBJECT_COUNTER, NFT_OBJECT_QUOTA } from "../../../kernel/nftables-message.ts";
import type { CounterValue } from "./counters.ts";

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
	let sequence = 0;
	const asked = (request: Omit<ObjectRequest, "table">): boolean => {
		sequence += 1;
		const answer = readObjects(socket, sequence, { table, ...request }, (name, value) => {
			if (request.type === NFT_OBJECT_QUOTA) used[name] = value.used;
			else over[name] = { packets: value.packets, bytes: value.bytes };
		});
		// What is not there is no error: the table may have gone, or a quota with it.
		return answer.ok || answer.errno === ENOENT;
	};
	const all =
		asked({ type: NFT_OBJECT_QUOTA }) &&
		counters.every((name) => asked({ type: NFT_OBJECT_COUNTER, name })) &&
		reset.every((name) => asked({ type: NFT_OBJECT_QUOTA, name, reset: true }));
	return all ? { used, over } : null;
}
