/** Raw sockets (raw(7)): IP packets as they are. They do not wait. */

import {
	AF_INET,
	AF_INET6,
	EAGAIN,
	EINTR,
	MSG_DONTWAIT,
	SOCK_CLOEXEC,
	SOCK_RAW,
	SOL_SOCKET,
} from "./constants.ts";
import { type CallResult, Libc } from "./libc.ts";

/** asm-generic/socket.h */
const SO_BINDTOIFINDEX = 62;
/** linux/in.h, linux/in6.h */
const IPPROTO_RAW = 255;
const IPPROTO_IPV6 = 41;
const IPV6_HDRINCL = 36;

const longestPacket = 65_536;

type Failure = { readonly ok: false; readonly error: string };

export class RawSocket {
	readonly #libc: Libc;
	readonly #fd: number;
	readonly #family: 4 | 6;
	readonly #buffer = new Uint8Array(longestPacket);
	readonly #sender = new Uint8Array(28);

	private constructor(libc: Libc, fd: number, family: 4 | 6) {
		this.#libc = libc;
		this.#fd = fd;
		this.#family = family;
	}

	/**
	 * @param protocol 1..254: what it receives; null: it sends whole packets, header included.
	 * @param index by which interface it sends; 0 is any.
	 */
	static open(
		family: 4 | 6,
		protocol: number | null,
		index = 0,
	): { readonly ok: true; readonly socket: RawSocket } | Failure {
		const library = Libc.open();
		if (!library.ok) return { ok: false, error: library.reason };
		const { libc } = library;
		const domain = family === 4 ? AF_INET : AF_INET6;
		const created = libc.socket(domain, SOCK_RAW | SOCK_CLOEXEC, protocol ?? IPPROTO_RAW);
		if (!created.ok) return created;
		const fd = created.value;
		const set = (level: number, option: number, value: number) =>
			libc.setIntegerOption(fd, level, option, value);
		const bound: CallResult = index === 0 ? { ok: true, value: 0 } : set(SOL_SOCKET, SO_BINDTOIFINDEX, index);
		const whole: CallResult =
			family === 6 && protocol === null ? set(IPPROTO_IPV6, IPV6_HDRINCL, 1) : { ok: true, value: 0 };
		const failed = [bound, whole].find((result) => !result.ok);
		if (failed === undefined || failed.ok) return { ok: true, socket: new RawSocket(libc, fd, family) };
		libc.close(fd);
		return failed;
	}

	/** Whether a packet was waiting, which is taken; what it holds does not matter. Null: the socket cannot be read. */
	take(): boolean | null {
		for (;;) {
			const got = this.#libc.receiveFrom(this.#fd, this.#buffer, MSG_DONTWAIT, this.#sender);
			if (got.ok) return true;
			if (got.errno !== EINTR) return got.errno === EAGAIN ? false : null;
		}
	}

	/** Sends one packet, which has its header, to the address of it; "" or why not. */
	send(
		packet: Uint8Array,
		address: Uint8Array,
	): { readonly ok: true } | (Failure & { readonly errno: number }) {
		const sent = this.#libc.sendTo(this.#fd, packet, MSG_DONTWAIT, socketAddress(this.#family, address));
		return sent.ok ? { ok: true } : sent;
	}

	close(): void {
		this.#libc.close(this.#fd);
	}
}

/** struct sockaddr_in, struct sockaddr_in6; of a raw socket the port is without meaning. */
function socketAddress(family: 4 | 6, address: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(family === 4 ? 16 : 28);
	new DataView(bytes.buffer).setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
	bytes.set(address, family === 4 ? 4 : 8);
	return bytes;
}
