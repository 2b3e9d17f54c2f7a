/** What waits on a port of this network namespace for whoever comes, asked of the kernel (sock_diag(7)). */

import { AF_INET, AF_INET6, NETLINK_SOCK_DIAG } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "../base/address.ts";
import {
	AttributeTable,
	type MessageCursor,
	MessageWriter,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "./netlink-message.ts";
import { askEach } from "./netlink-request.ts";
import { tcpState } from "./socket-diag.ts";

/** linux/sock_diag.h, linux/inet_diag.h */
const SOCK_DIAG_BY_FAMILY = 20;
const INET_DIAG_SKV6ONLY = 11;
const SOCKET_ID_BYTES = 48;
const MESSAGE_BYTES = 72;
/** In struct inet_diag_msg. */
const LOCAL_PORT_AT = 4;
const REMOTE_PORT_AT = 6;
const LOCAL_AT = 8;
const INTERFACE_AT = 40;
const INODE_AT = 68;

const protocols = [
	["tcp", 6, 1 << tcpState.listen],
	["udp", 17, 1 << tcpState.close],
] as const;

export interface Listener {
	readonly protocol: "tcp" | "udp";
	/** As the socket has it; 0.0.0.0 or :: for every one. */
	readonly address: string;
	readonly port: number;
	/** Whose packets it hears: a socket of :: hears IPv4's as well unless it was told not to. */
	readonly families: readonly (4 | 6)[];
	/** The index of the only interface that it hears; 0 for every one. */
	readonly interfaceIndex: number;
	/** As in the links of /proc/PID/fd. */
	readonly inode: number;
}

export type ListenersResult =
	| { readonly ok: true; readonly listeners: readonly Listener[] }
	| { readonly ok: false; readonly error: string };

/** By protocol and port. */
export function listeners(): ListenersResult {
	const opened = NetlinkSocket.open({ protocol: NETLINK_SOCK_DIAG, receiveBuffer: 1 << 20 });
	if (!opened.ok) return opened;
	const found: Listener[] = [];
	let failure: string | null = null;
	let sequence = 0;
	for (const [name, protocol, states] of protocols) {
		for (const family of [AF_INET, AF_INET6]) {
			sequence += 1;
			const message = new MessageWriter(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, sequence)
				.raw([family, protocol, 0, 0, states & 0xff, states >> 8, 0, 0])
				.raw(new Uint8Array(SOCKET_ID_BYTES))
				.finish();
			const answer = askEach(opened.socket, message, sequence, (cursor) => {
				const listener = readListener(cursor, name);
				if (listener !== null) found.push(listener);
			});
			// A kernel without IPv6, or without the module for UDP, has none of those.
			if (!answer.ok && name === "tcp" && family === AF_INET) failure = answer.error;
		}
	}
	opened.socket.close();
	if (failure !== null) return { ok: false, error: failure };
	const order = (a: Listener, b: Listener) =>
		a.protocol.localeCompare(b.protocol) || a.port - b.port || a.address.localeCompare(b.address);
	return { ok: true, listeners: found.sort(order) };
}

const table = new AttributeTable(INET_DIAG_SKV6ONLY);

/** Null for a socket with a peer, and for a message that is no whole struct inet_diag_msg. */
function readListener(
	{ type, bytes, start, end }: MessageCursor,
	protocol: Listener["protocol"],
): Listener | null {
	if (type !== SOCK_DIAG_BY_FAMILY || end - start < MESSAGE_BYTES) return null;
	const view = new DataView(bytes.buffer, bytes.byteOffset + start);
	if (view.getUint16(REMOTE_PORT_AT) !== 0) return null;
	const ipv4 = view.getUint8(0) === AF_INET;
	const address = ipv4 ? formatIpv4(bytes, start + LOCAL_AT) : formatIpv6(bytes, start + LOCAL_AT);
	const attributes = table.read(bytes, start + MESSAGE_BYTES, end);
	const only6 =
		attributes.length(INET_DIAG_SKV6ONLY) >= 1 && bytes[attributes.offset(INET_DIAG_SKV6ONLY)] === 1;
	const mapped = address.startsWith("::ffff:");
	return {
		protocol,
		address,
		port: view.getUint16(LOCAL_PORT_AT),
		families: ipv4 || mapped ? [4] : address === "::" && !only6 ? [4, 6] : [6],
		interfaceIndex: view.getUint32(INTERFACE_AT, true),
		inode: view.getUint32(INODE_AT, true),
	};
}
