/** Datagrams to the service manager (sd_notify(3)). */

import { AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM } from "./constants.ts";
import { Libc } from "./libc.ts";

/** sizeof(sun_path) in linux/un.h */
const PATH_BYTES = 108;

export type NotifyResult = { readonly ok: true; readonly socket: NotifySocket } | NotifyFailure;

export interface NotifyFailure {
	readonly ok: false;
	readonly error: string;
}

export class NotifySocket {
	readonly #libc: Libc;
	readonly #address: Uint8Array;
	#fd: number;

	private constructor(libc: Libc, fd: number, address: Uint8Array) {
		this.#libc = libc;
		this.#fd = fd;
		this.#address = address;
	}

	/** @param address as in $NOTIFY_SOCKET: an absolute path, or "@" and the name of an abstract socket. */
	static open(address: string): NotifyResult {
		const bytes = socketAddress(address);
		if (bytes === null) return { ok: false, error: "it is neither an absolute path nor an abstract name" };
		const library = Libc.open();
		if (!library.ok) return { ok: false, error: library.reason };
		const created = library.libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (!created.ok) return created;
		return { ok: true, socket: new NotifySocket(library.libc, created.value, bytes) };
	}

	/** Sends assignments, such as "READY=1", without waiting for a manager whose queue is full. Null, or what went wrong. */
	send(assignments: readonly string[]): string | null {
		if (this.#fd < 0) return "the socket is closed";
		const bytes = new TextEncoder().encode(assignments.join("\n"));
		const sent = this.#libc.sendTo(this.#fd, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, this.#address);
		return sent.ok ? null : sent.error;
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
