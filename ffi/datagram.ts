/** Datagrams to sockets of this host (unix(7)), which Bun has no call for. They never wait for who receives them. */

import {
	AF_UNIX,
	EAGAIN,
	EINTR,
	EMSGSIZE,
	ENOBUFS,
	MSG_DONTWAIT,
	MSG_NOSIGNAL,
	SO_SNDBUF,
	SOCK_CLOEXEC,
	SOCK_DGRAM,
	SOL_SOCKET,
} from "./constants.ts";
import { type CallResult, Libc } from "./libc.ts";

/** sizeof(sun_path) in linux/un.h */
const PATH_BYTES = 108;

export type DatagramResult =
	| { readonly ok: true; readonly socket: UnixDatagram }
	| { readonly ok: false; readonly error: string };

export type DatagramSent =
	| { readonly ok: true }
	| {
			readonly ok: false;
			/** `full`: there is no room for the moment. `long`: no datagram is so long. */
			readonly reason: "full" | "long" | "failed";
			readonly error: string;
	  };

export class UnixDatagram {
	readonly #libc: Libc;
	readonly #address: Uint8Array;
	#fd: number;

	private constructor(libc: Libc, fd: number, address: Uint8Array) {
		this.#libc = libc;
		this.#fd = fd;
		this.#address = address;
	}

	/**
	 * A socket that sends to `address`, which need not be there yet.
	 * @param address an absolute path, or "@" and the name of an abstract socket.
	 * @param buffer bytes for what is on its way, where the kernel's own choice is not enough
	 */
	static open(address: string, buffer: number | null = null): DatagramResult {
		const bytes = socketAddress(address);
		if (bytes === null) return { ok: false, error: "it is neither an absolute path nor an abstract name" };
		const library = Libc.open();
		if (!library.ok) return { ok: false, error: library.reason };
		const { libc } = library;
		const created = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (!created.ok) return created;
		// The kernel gives what it may; a shorter buffer is one that is full sooner.
		if (buffer !== null) libc.setIntegerOption(created.value, SOL_SOCKET, SO_SNDBUF, buffer);
		return { ok: true, socket: new UnixDatagram(libc, created.value, bytes) };
	}

	send(bytes: Uint8Array): DatagramSent {
		if (this.#fd < 0) return { ok: false, reason: "failed", error: "the socket is closed" };
		let sent: CallResult;
		do {
			sent = this.#libc.sendTo(this.#fd, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, this.#address);
		} while (!sent.ok && sent.errno === EINTR);
		if (sent.ok) return { ok: true };
		const { errno, error } = sent;
		const reason = errno === EAGAIN || errno === ENOBUFS ? "full" : errno === EMSGSIZE ? "long" : "failed";
		return { ok: false, reason, error };
	}

	/** A second call does nothing. */
	close(): void {
		if (this.#fd >= 0) this.#libc.close(this.#fd);
		this.#fd = -1;
	}
}

/** struct sockaddr_un (unix(7)); null for what is no address. */
function socketAddress(address: string): Uint8Array | null {
	const name = new TextEncoder().encode(address);
	const abstract = address.startsWith("@");
	if (!abstract && !address.startsWith("/")) return null;
	// A path ends with a NUL, an abstract name with the address's length.
	const length = abstract ? name.length : name.length + 1;
	if (name.includes(0) || name.length < 2 || length > PATH_BYTES) return null;
	const bytes = new Uint8Array(2 + length);
	new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
	bytes.set(name, 2);
	if (abstract) bytes[2] = 0;
	return bytes;
}
