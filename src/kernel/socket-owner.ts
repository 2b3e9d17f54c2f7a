/** Whose a TCP socket of this host is, asked of the kernel by its two ends (sock_diag(7)). */

import { AF_INET, AF_INET6, NETLINK_SOCK_DIAG } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { parseAddress } from "../base/cidr.ts";
import { tcp } from "../base/protocol.ts";
import { NLM_F_REQUEST } from "./netlink-message.ts";
import { ask } from "./netlink-request.ts";

/** linux/sock_diag.h, linux/inet_diag.h */
const SOCK_DIAG_BY_FAMILY = 20;
const HEADER_BYTES = 16;
const REQUEST_BYTES = HEADER_BYTES + 56;
/** In struct inet_diag_msg. */
const UID_OFFSET = 64;
const INODE_OFFSET = 68;
const MESSAGE_BYTES = 72;
/** INET_DIAG_NOCOOKIE, twice. */
const NO_COOKIE = 0xff;

/** One connection, from the end whose socket is asked for. */
export interface SocketEnds {
	readonly local: string;
	readonly localPort: number;
	readonly remote: string;
	readonly remotePort: number;
	/** Of link-local addresses, which are only known together with it; 0 or absent for others. */
	readonly interfaceIndex?: number;
}

export interface SocketOwner {
	/** Of the user who made the socket. */
	readonly uid: number;
	/** As in the links of /proc/PID/fd; 0 once no process holds it. */
	readonly inode: number;
	/** Both ends send and receive (TCP_ESTABLISHED). */
	readonly established: boolean;
}

const TCP_ESTABLISHED = 1;

export class SocketOwners {
	#socket: NetlinkSocket | null = null;
	#sequence = 0;

	/** Null where this network namespace has no such socket, or the kernel does not say. */
	find(ends: SocketEnds): SocketOwner | null {
		const sequence = ++this.#sequence;
		const request = ownerRequest(ends, sequence);
		const socket = request === null ? null : this.#open();
		if (request === null || socket === null) return null;
		let found: SocketOwner | null = null;
		const answer = ask(socket, request, sequence);
		// A request without NLM_F_DUMP is answered with one message and no end; an error ends it.
		const step = answer.next();
		if (step.done !== true) {
			const { bytes, start, end } = step.value;
			if (end - start >= MESSAGE_BYTES) {
				const view = new DataView(bytes.buffer, bytes.byteOffset + start);
				found = {
					uid: view.getUint32(UID_OFFSET, true),
					inode: view.getUint32(INODE_OFFSET, true),
					established: view.getUint8(1) === TCP_ESTABLISHED,
				};
			}
			answer.return({ ok: true, interrupted: false });
		}
		return found;
	}

	close(): void {
		this.#socket?.close();
		this.#socket = null;
	}

	#open(): NetlinkSocket | null {
		if (this.#socket !== null) return this.#socket;
		const opened = NetlinkSocket.open({ protocol: NETLINK_SOCK_DIAG });
		this.#socket = opened.ok ? opened.socket : null;
		return this.#socket;
	}
}

/** struct nlmsghdr with struct inet_diag_req_v2; null for what are no addresses of one family. */
function ownerRequest(ends: SocketEnds, sequence: number): Uint8Array | null {
	const local = parseAddress(unmapped(ends.local));
	const remote = parseAddress(unmapped(ends.remote));
	if ("message" in local || "message" in remote || local.family !== remote.family) return null;
	const bytes = new Uint8Array(REQUEST_BYTES);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, REQUEST_BYTES, true);
	view.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
	view.setUint16(6, NLM_F_REQUEST, true);
	view.setUint32(8, sequence, true);
	view.setUint8(HEADER_BYTES, local.family === 4 ? AF_INET : AF_INET6);
	view.setUint8(HEADER_BYTES + 1, tcp);
	view.setUint32(HEADER_BYTES + 4, 0xffff_ffff, true);
	const id = HEADER_BYTES + 8;
	view.setUint16(id, ends.localPort);
	view.setUint16(id + 2, ends.remotePort);
	putAddress(view, id + 4, local);
	putAddress(view, id + 20, remote);
	view.setUint32(id + 36, ends.interfaceIndex ?? 0, true);
	bytes.fill(NO_COOKIE, id + 40, id + 48);
	return bytes;
}

/** A socket for both families names IPv4 addresses so (RFC 4291, 2.5.5.2). */
function unmapped(address: string): string {
	return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu.exec(address)?.[1] ?? address;
}

function putAddress(view: DataView, at: number, address: { family: 4 | 6; value: bigint }): void {
	if (address.family === 4) {
		view.setUint32(at, Number(address.value));
		return;
	}
	view.setBigUint64(at, address.value >> 64n);
	view.setBigUint64(at + 8, address.value & 0xffff_ffff_ffff_ffffn);
}
