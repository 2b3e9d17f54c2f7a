/** Netlink sockets (netlink(7)): bytes in, bytes out. What the bytes mean is the caller's business. */

import {
	AF_NETLINK,
	EAGAIN,
	EINTR,
	ENOBUFS,
	MSG_DONTWAIT,
	MSG_TRUNC,
	NETLINK_ADD_MEMBERSHIP,
	NETLINK_CAP_ACK,
	NETLINK_DROP_MEMBERSHIP,
	NETLINK_GET_STRICT_CHK,
	SO_RCVBUF,
	SO_RCVBUFFORCE,
	SO_SNDBUF,
	SO_SNDBUFFORCE,
	SOCK_CLOEXEC,
	SOCK_RAW,
	SOL_NETLINK,
	SOL_SOCKET,
} from "./constants.ts";
import { Libc } from "./libc.ts";
import { checkedInteger } from "./library.ts";

/** struct sockaddr_nl */
const ADDRESS_BYTES = 12;
/** Larger than any message that the kernel sends: dumps stop at 32 KiB, NFLOG batches at 64 KiB. */
const BUFFER_BYTES = 256 * 1024;

export interface NetlinkOptions {
	/** NETLINK_* */
	readonly protocol: number;
	/** Multicast groups to join, by number (not by mask). */
	readonly groups?: readonly number[];
	/** Bytes to ask for with SO_RCVBUFFORCE; the kernel doubles the number for its own overhead. */
	readonly receiveBuffer?: number;
	/** The same with SO_SNDBUFFORCE: no message that is sent may be longer. */
	readonly sendBuffer?: number;
	/** Ask the kernel to take a dump's header as a filter; one older than 4.20 gives everything. */
	readonly strict?: boolean;
}

export type Received =
	/** Whole messages; the bytes are overwritten by the next receive(). */
	| { readonly kind: "data"; readonly bytes: Uint8Array }
	/** Nothing to read now. */
	| { readonly kind: "empty" }
	/** The kernel dropped messages, as the receive buffer was full (ENOBUFS), or one was too long. */
	| { readonly kind: "overrun" }
	| { readonly kind: "error"; readonly error: string };

export class NetlinkSocket {
	readonly #libc: Libc;
	readonly #buffer = new Uint8Array(BUFFER_BYTES);
	readonly #sender = new Uint8Array(ADDRESS_BYTES);
	readonly #senderView = new DataView(this.#sender.buffer);
	#fd: number;

	private constructor(
		libc: Libc,
		fd: number,
		/** The port id that the kernel gave; replies carry it. */
		readonly portId: number,
	) {
		this.#libc = libc;
		this.#fd = fd;
	}

	static open(
		options: NetlinkOptions,
	): { readonly ok: true; readonly socket: NetlinkSocket } | { readonly ok: false; readonly error: string } {
		const library = Libc.open();
		if (!library.ok) return { ok: false, error: library.reason };
		const libc = library.libc;
		const protocol = checkedInteger(options.protocol, 0, 31, "protocol");
		const created = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
		if (!created.ok) return created;
		const fd = created.value;
		const fail = (error: string): { readonly ok: false; readonly error: string } => {
			libc.close(fd);
			return { ok: false, error };
		};
		if (options.receiveBuffer !== undefined) {
			// Only CAP_NET_ADMIN of the first user namespace may go over rmem_max; less is better than nothing.
			const forced = libc.setIntegerOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBuffer);
			if (!forced.ok) libc.setIntegerOption(fd, SOL_SOCKET, SO_RCVBUF, options.receiveBuffer);
		}
		if (options.sendBuffer !== undefined) {
			const forced = libc.setIntegerOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, options.sendBuffer);
			if (!forced.ok) libc.setIntegerOption(fd, SOL_SOCKET, SO_SNDBUF, options.sendBuffer);
		}
		// Acknowledgements of batches need not repeat the requests. Kernels without either option do without.
		libc.setIntegerOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
		if (options.strict === true) libc.setIntegerOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
		const bound = libc.bind(fd, netlinkAddress(0));
		if (!bound.ok) return fail(bound.error);
		for (const group of options.groups ?? []) {
			const joined = libc.setIntegerOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
			if (!joined.ok) return fail(joined.error);
		}
		const address = new Uint8Array(ADDRESS_BYTES);
		const named = libc.getsockname(fd, address);
		if (!named.ok) return fail(named.error);
		const portId = new DataView(address.buffer).getUint32(4, true);
		return { ok: true, socket: new NetlinkSocket(libc, fd, portId) };
	}

	/** The descriptor, for poll; -1 after close(). */
	get fd(): number {
		return this.#fd;
	}

	/** The receive buffer's size in bytes as the kernel reports it, which is twice what was granted. */
	get receiveBuffer(): number {
		const size = this.#libc.getIntegerOption(this.#fd, SOL_SOCKET, SO_RCVBUF);
		return size.ok ? size.value : 0;
	}

	/** The longest message that can be sent, in bytes. */
	get sendBuffer(): number {
		const size = this.#libc.getIntegerOption(this.#fd, SOL_SOCKET, SO_SNDBUF);
		// netlink_sendmsg of net/netlink/af_netlink.c keeps a little for itself.
		return size.ok ? Math.max(0, size.value - 32) : 0;
	}

	/** Sends one message to the kernel, or to another socket's port. */
	send(
		message: Uint8Array,
		portId = 0,
	): { readonly ok: true } | { readonly ok: false; readonly errno: number; readonly error: string } {
		const sent = this.#libc.sendTo(this.#fd, message, MSG_DONTWAIT, netlinkAddress(portId));
		return sent.ok ? { ok: true } : sent;
	}

	/** Reads without waiting. What other processes send to this port is passed over: only the kernel is believed. */
	receive(): Received {
		for (;;) {
			const got = this.#libc.receiveFrom(this.#fd, this.#buffer, MSG_DONTWAIT | MSG_TRUNC, this.#sender);
			if (!got.ok) {
				if (got.errno === EINTR) continue;
				if (got.errno === EAGAIN) return { kind: "empty" };
				if (got.errno === ENOBUFS) return { kind: "overrun" };
				return { kind: "error", error: got.error };
			}
			if (this.#senderView.getUint32(4, true) !== 0) continue;
			if (got.value > this.#buffer.length) return { kind: "overrun" };
			return { kind: "data", bytes: this.#buffer.subarray(0, got.value) };
		}
	}

	/** Closes the socket. A second call does nothing. */
	close(): void {
		if (this.#fd >= 0) this.#libc.close(this.#fd);
		this.#fd = -1;
	}
}

/**
 * A multicast group that a socket of another thread is in, to be left for a while. It has a descriptor of its own: whoever
 * closes the other one, this stays the same socket.
 */
export class SharedMembership {
	readonly #libc: Libc;
	readonly #group: number;
	#fd: number;

	private constructor(libc: Libc, fd: number, group: number) {
		this.#libc = libc;
		this.#fd = fd;
		this.#group = group;
	}

	/**
	 * @param fd of a netlink socket of this process. By now it may be that of something else.
	 * @param portId the number that tells it apart
	 * @param group by number
	 */
	static of(
		fd: number,
		portId: number,
		group: number,
	):
		| { readonly ok: true; readonly membership: SharedMembership }
		| { readonly ok: false; readonly error: string } {
		const library = Libc.open();
		if (!library.ok) return { ok: false, error: library.reason };
		const { libc } = library;
		const own = libc.duplicate(fd);
		if (!own.ok) return own;
		const address = new Uint8Array(ADDRESS_BYTES);
		const named = libc.getsockname(own.value, address);
		const view = new DataView(address.buffer);
		if (named.ok && view.getUint16(0, true) === AF_NETLINK && view.getUint32(4, true) === portId)
			return { ok: true, membership: new SharedMembership(libc, own.value, group) };
		libc.close(own.value);
		return { ok: false, error: named.ok ? `descriptor ${fd} is another one's by now` : named.error };
	}

	/** False where the socket stays in it. */
	leave(): boolean {
		return this.#set(NETLINK_DROP_MEMBERSHIP);
	}

	/** False where it could not be joined again. */
	join(): boolean {
		return this.#set(NETLINK_ADD_MEMBERSHIP);
	}

	/** Closes the own descriptor. A second call does nothing. */
	close(): void {
		if (this.#fd >= 0) this.#libc.close(this.#fd);
		this.#fd = -1;
	}

	#set(option: number): boolean {
		return this.#libc.setIntegerOption(this.#fd, SOL_NETLINK, option, this.#group).ok;
	}
}

/** struct sockaddr_nl of linux/netlink.h, in the byte order of the machines that Portward runs on (little-endian). */
function netlinkAddress(portId: number): Uint8Array {
	const bytes = new Uint8Array(ADDRESS_BYTES);
	const view = new DataView(bytes.buffer);
	view.setUint16(0, AF_NETLINK, true);
	view.setUint32(4, portId, true);
	return bytes;
}
