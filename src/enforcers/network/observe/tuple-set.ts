/**
 * Reads a set of flows: elements of type `address . inet_proto . inet_service .
 * inet_service`, or the same behind `ifname`. A daemon that starts learns from it what the one before refused.
 */

import type { NetlinkSocket } from "../../../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "../../../base/address.ts";
import { readElements } from "../../../kernel/nftables/set-elements.ts";

export interface FlowTuple {
	readonly family: 4 | 6;
	readonly remote: string;
	/** IP protocol number. */
	readonly protocol: number;
	readonly remotePort: number;
	readonly localPort: number;
	/** Absent in a set without interfaces. */
	readonly interfaces?: readonly string[];
	/** Of a set of forwarded flows. */
	readonly forwarded?: true;
	/** Of a set of flows that came by published ports. */
	readonly hostPort?: number;
}

/** What the elements of a set are. */
export interface TupleSet {
	readonly name: string;
	readonly family: 4 | 6;
	readonly kind: "everywhere" | "interface" | "forwarded" | "published";
}

export type TuplesResult = KeysResult<FlowTuple>;

/**
 * The elements of a set in an inet table; none when there is no such set.
 * @param socket one of NETLINK_NETFILTER that nothing else is waiting on.
 */
export function readTuples(socket: NetlinkSocket, table: string, set: TupleSet): TuplesResult {
	return readKeys(socket, table, set, (value) => readTuple(value, set));
}

/** The local ports in a set of muted ports: elements of type `address . inet_service . inet_service`, or behind `ifname`. */
export function readMutedPorts(
	socket: NetlinkSocket,
	table: string,
	set: TupleSet,
): { readonly ok: true; readonly ports: readonly number[] } | { readonly ok: false; readonly error: string } {
	const at = (set.kind === "interface" ? INTERFACE_BYTES : 0) + (set.family === 4 ? 4 : 16);
	const read = readKeys(socket, table, set, (key) =>
		key.length < at + 2 ? null : new DataView(key.buffer, key.byteOffset).getUint16(at),
	);
	return read.ok ? { ok: true, ports: read.tuples } : read;
}

type KeysResult<T> =
	| { readonly ok: true; readonly tuples: readonly T[] }
	| { readonly ok: false; readonly error: string };

function readKeys<T>(
	socket: NetlinkSocket,
	table: string,
	set: TupleSet,
	parse: (key: Uint8Array) => T | null,
): KeysResult<T> {
	const tuples: T[] = [];
	const error = readElements(socket, table, set.name, (key) => {
		const tuple = parse(key);
		if (tuple !== null) tuples.push(tuple);
	});
	return error === null ? { ok: true, tuples } : { ok: false, error };
}

/** IFNAMSIZ of linux/if.h. */
const INTERFACE_BYTES = 16;

/** A concatenation starts each of its parts on a multiple of four bytes. */
function readTuple(key: Uint8Array, { family, kind }: TupleSet): FlowTuple | null {
	const start = kind === "interface" ? INTERFACE_BYTES : 0;
	const end = start + (family === 4 ? 4 : 16);
	if (key.length !== end + (kind === "published" ? 16 : 12)) return null;
	const view = new DataView(key.buffer, key.byteOffset);
	const tuple: FlowTuple = {
		family,
		remote: family === 4 ? formatIpv4(key, start) : formatIpv6(key, start),
		protocol: view.getUint8(end),
		remotePort: view.getUint16(end + 4),
		localPort: view.getUint16(end + 8),
	};
	if (kind === "everywhere") return tuple;
	if (kind === "forwarded") return { ...tuple, forwarded: true };
	if (kind === "published") return { ...tuple, forwarded: true, hostPort: view.getUint16(end + 12) };
	const name = key.subarray(0, INTERFACE_BYTES);
	const length = name.indexOf(0);
	return { ...tuple, interfaces: [String.fromCharCode(...(length < 0 ? name : name.subarray(0, length)))] };
}
