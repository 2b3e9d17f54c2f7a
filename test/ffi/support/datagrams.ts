/** A Unix datagram socket that keeps what it gets, as the service manager's does. */

import { AF_UNIX, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from "../../../ffi/constants.ts";
import { type CallResult, Libc } from "../../../ffi/libc.ts";

function value(result: CallResult): number {
	if (!result.ok) throw new Error(result.error);
	return result.value;
}

export class Datagrams implements Disposable {
	readonly #libc: Libc;
	readonly #fd: number;

	/** @param address a path, or "@" and an abstract name. */
	constructor(address: string) {
		const library = Libc.open();
		if (!library.ok) throw new Error(library.reason);
		this.#libc = library.libc;
		const name = Buffer.from(address.replace(/^@/, "\0") + (address.startsWith("@") ? "" : "\0"));
		this.#fd = value(this.#libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		value(this.#libc.bind(this.#fd, Buffer.concat([Buffer.from([AF_UNIX, 0]), name])));
	}

	/** Everything that has arrived since the last call, a datagram each, its lines apart. */
	take(): string[][] {
		const all: string[][] = [];
		const buffer = new Uint8Array(8192);
		for (;;) {
			const got = this.#libc.receiveFrom(this.#fd, buffer, MSG_DONTWAIT, new Uint8Array(128));
			if (!got.ok) return all;
			all.push(new TextDecoder().decode(buffer.subarray(0, got.value)).split("\n"));
		}
	}

	[Symbol.dispose](): void {
		this.#libc.close(this.#fd);
	}
}
