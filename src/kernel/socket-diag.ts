/**
 * The TCP and UDP sockets of this network namespace over sock_diag(7), which
 * tells what /proc does not: who opened a TCP connection, as far as its byte
 * counts show it, and a handle by which the kernel ends a socket.
 */

import { NETLINK_SOCK_DIAG } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "../base/address.ts";
import { tcp, udp } from "../base/protocol.ts";
import {
	AttributeTable,
	type MessageCursor,
	MessageWriter,
	NLM_F_ACK,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "./netlink-message.ts";
import { type Answer, ask, performAll } from "./netlink-request.ts";

/** linux/sock_diag.h, linux/inet_diag.h */
const SOCK_DIAG_BY_FAMILY = 20;
const SOCK_DESTROY = 21;
const INET_DIAG_INFO = 2;
/** Linux 5.8 and later. */
const INET_DIAG_CGROUP_ID = 21;
/** struct inet_diag_sockid, and where struct inet_diag_msg has it and ends. */
const SOCKET_ID_BYTES = 48;
const SOCKET_ID_AT = 4;
const MESSAGE_BYTES = 72;
const WRITE_QUEUE_AT = 60;
const USER_AT = 64;
const INODE_AT = 68;

/** include/net/tcp_states.h; UDP sockets use two of them. */
export const tcpState = {
	established: 1,
	finWait1: 4,
	finWait2: 5,
	close: 7,
	closeWait: 8,
	lastAck: 9,
	listen: 10,
	closing: 11,
};

/** struct tcp_info of linux/tcp.h; kernels before 4.19 give less of it. */
const INFO_BYTES_ACKED = 120;
const INFO_NOT_SENT = 144;
const INFO_BYTES_SENT = 200;
const INFO_BYTES_RETRANSMITTED = 208;
const INFO_BYTES = 216;

export interface DiagSocket {
	/** Of the packets: an IPv6 socket that speaks IPv4 is 4. */
	readonly family: 4 | 6;
	/** 6 or 17. */
	readonly protocol: number;
	readonly local: string;
	readonly localPort: number;
	readonly remote: string;
	/** 0 where the socket is connected to nobody. */
	readonly remotePort: number;
	/** One of `tcpState`. */
	readonly state: number;
	/**
	 * Bytes that were acknowledged or are on their way, less those that were sent: 1 is this end's SYN, so it opened
	 * the connection; 0 says that the other end did; less, that packets were dropped within this host. Null: unknown.
	 */
	readonly surplus: number | null;
	/** Null where the kernel cannot end a single socket. */
	readonly handle: SocketHandle | null;
	/** Absent where no process has the socket any more, or yet: the kernel would say root. */
	readonly owner?: SocketOwnership;
}

/** Whose a socket is. */
export interface SocketOwnership {
	/** Of who made it. */
	readonly user: number;
	/** The number of its control group, in digits; null where the kernel does not say. */
	readonly controlGroup: string | null;
}

/** What names a socket to the kernel, and no later one. */
export interface SocketHandle {
	readonly diagFamily: number;
	readonly protocol: number;
	/** struct inet_diag_sockid */
	readonly id: Uint8Array;
}

type Failure = { readonly ok: false; readonly error: string };

/** All sockets that have a peer or wait for one. Fails where the kernel has no sock_diag. */
export function diagSockets(): { readonly ok: true; readonly sockets: readonly DiagSocket[] } | Failure {
	const opened = NetlinkSocket.open({ protocol: NETLINK_SOCK_DIAG, receiveBuffer: 1 << 20 });
	if (!opened.ok) return opened;
	const { socket } = opened;
	const { established, finWait1, finWait2, close, closeWait, lastAck, listen, closing } = tcpState;
	const tcpStates = mask(established, finWait1, finWait2, closeWait, lastAck, listen, closing);
	const sockets: DiagSocket[] = [];
	let tcpAnswer: Answer = { ok: true, interrupted: false };
	let sequence = 0;
	for (const [protocol, states] of [
		[tcp, tcpStates],
		// Its module may be missing where TCP's is there; then nothing shows who serves over UDP.
		[udp, mask(established, close)],
	] as const) {
		for (const family of [2, 10]) {
			sequence += 1;
			const answer = dump(socket, sequence, family, protocol, states, sockets);
			if (!answer.ok && protocol === tcp && family === 2) tcpAnswer = answer;
		}
	}
	socket.close();
	return tcpAnswer.ok ? { ok: true, sockets } : { ok: false, error: tcpAnswer.error };
}

/**
 * Ends sockets (SOCK_DESTROY): whoever holds one gets ECONNABORTED. Returns how many were ended; one that has gone
 * is no failure, and a kernel without CONFIG_INET_DIAG_DESTROY ends none.
 */
export function destroySockets(handles: readonly SocketHandle[]): number {
	if (handles.length === 0) return 0;
	const opened = NetlinkSocket.open({ protocol: NETLINK_SOCK_DIAG });
	if (!opened.ok) return 0;
	const answers = performAll(opened.socket, handles, ({ diagFamily, protocol, id }, sequence) =>
		request(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, sequence, [diagFamily, protocol, 0, 0, 0, 0, 0, 0], id),
	);
	opened.socket.close();
	return answers.filter((answer) => answer.ok).length;
}

function mask(...states: readonly number[]): number {
	return states.reduce((bits, state) => bits | (1 << state), 0);
}

/** A message of struct inet_diag_req_v2. */
function request(
	type: number,
	flags: number,
	sequence: number,
	head: readonly number[],
	id: Uint8Array,
): Uint8Array {
	return new MessageWriter(type, flags, sequence).raw(head).raw(id).finish();
}

function dump(
	socket: NetlinkSocket,
	sequence: number,
	family: number,
	protocol: number,
	states: number,
	sockets: DiagSocket[],
): Answer {
	const extensions = 1 << (INET_DIAG_INFO - 1);
	const head = [family, protocol, extensions, 0, states & 0xff, states >> 8, 0, 0];
	const any = new Uint8Array(SOCKET_ID_BYTES);
	const message = request(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, sequence, head, any);
	const attributes = new AttributeTable(INET_DIAG_CGROUP_ID);
	const answer = ask(socket, message, sequence);
	for (;;) {
		const step = answer.next();
		if (step.done === true) return step.value;
		const found = readSocket(step.value, protocol, attributes);
		if (found !== null) sockets.push(found);
	}
}

const mapped = "::ffff:";

/** Null for a message that is no whole struct inet_diag_msg. */
export function readSocket(
	cursor: MessageCursor,
	protocol: number,
	table: AttributeTable,
): DiagSocket | null {
	const { type, bytes, start, end } = cursor;
	if (type !== SOCK_DIAG_BY_FAMILY || end - start < MESSAGE_BYTES) return null;
	const view = new DataView(bytes.buffer, bytes.byteOffset + start);
	const diagFamily = view.getUint8(0);
	const address = (at: number): string => {
		if (diagFamily === 2) return formatIpv4(bytes, start + at);
		const text = formatIpv6(bytes, start + at);
		return text.startsWith(mapped) && text.includes(".") ? text.slice(mapped.length) : text;
	};
	const id = SOCKET_ID_AT;
	const local = address(id + 4);
	const remote = address(id + 20);
	const remotePort = view.getUint16(id + 2);
	const state = view.getUint8(1);
	const seen = protocol === tcp && (state === tcpState.established || state === tcpState.closeWait);
	table.read(bytes, start + MESSAGE_BYTES, end);
	return {
		family: (remotePort === 0 ? local : remote).includes(":") ? 6 : 4,
		protocol,
		local,
		localPort: view.getUint16(id),
		remote,
		remotePort,
		state,
		surplus: seen ? surplus(bytes, view.getUint32(WRITE_QUEUE_AT, true), table) : null,
		handle: { diagFamily, protocol, id: bytes.slice(start + id, start + id + SOCKET_ID_BYTES) },
		...ownerOf(view, bytes, table),
	};
}

function ownerOf(
	view: DataView,
	bytes: Uint8Array,
	table: AttributeTable,
): { readonly owner?: SocketOwnership } {
	if (view.getUint32(INODE_AT, true) === 0) return {};
	return { owner: { user: view.getUint32(USER_AT, true), controlGroup: controlGroup(bytes, table) } };
}

function controlGroup(bytes: Uint8Array, table: AttributeTable): string | null {
	if (table.length(INET_DIAG_CGROUP_ID) !== 8) return null;
	const view = new DataView(bytes.buffer, bytes.byteOffset + table.offset(INET_DIAG_CGROUP_ID));
	return String(view.getBigUint64(0, true));
}

/** @param queued bytes that were written and not acknowledged. */
function surplus(bytes: Uint8Array, queued: number, table: AttributeTable): number | null {
	if (table.length(INET_DIAG_INFO) < INFO_BYTES) return null;
	const view = new DataView(bytes.buffer, bytes.byteOffset + table.offset(INET_DIAG_INFO));
	const u64 = (at: number) => Number(view.getBigUint64(at, true));
	const inFlight = queued - view.getUint32(INFO_NOT_SENT, true);
	return u64(INFO_BYTES_ACKED) + inFlight - (u64(INFO_BYTES_SENT) - u64(INFO_BYTES_RETRANSMITTED));
}
