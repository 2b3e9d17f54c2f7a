/** Reads the sets in which the kernel counts new flows: see compile/render/seen.ts. */

import type { NetlinkSocket } from "../../../../ffi/netlink.ts";
import type { Family } from "../../../base/model.ts";
import { AttributeTable } from "../../../kernel/netlink-message.ts";
import { readObjects } from "../../../kernel/nftables/object-values.ts";
import {
	NFTA_SET_ELEM_EXPIRATION,
	NFTA_SET_ELEM_EXPR,
	readElements,
} from "../../../kernel/nftables/set-elements.ts";
import { NFT_OBJECT_COUNTER, NFTA_EXPR_DATA } from "../../../kernel/nftables-message.ts";
import { type SeenKind, type SeenPlace, seenSet } from "../names.ts";

/** linux/netfilter/nf_tables.h */
const NFTA_COUNTER_PACKETS = 2;

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
	let packets: number | null = null;
	readObjects(socket, 1, { table, type: NFT_OBJECT_COUNTER, name }, (_, value) => {
		packets = value.packets;
	});
	return packets;
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
	const inner = new AttributeTable(NFTA_EXPR_DATA);
	const counter = new AttributeTable(NFTA_COUNTER_PACKETS);
	const found: SeenElement = { key: new Uint8Array(0), count: 0, left: 0 };
	const { length } = keyPlaces(place, kind);
	return readElements(socket, table, seenSet(place, kind), (key, element) => {
		if (key.length !== length) return;
		found.key = key;
		found.left = element.u64(NFTA_SET_ELEM_EXPIRATION) ?? 0;
		inner.readNested(element, NFTA_SET_ELEM_EXPR);
		counter.readNested(inner, NFTA_EXPR_DATA);
		found.count = counter.u64(NFTA_COUNTER_PACKETS) ?? 0;
		each(found);
	});
}
