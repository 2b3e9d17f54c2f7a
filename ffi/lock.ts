/**
 * One instance a network namespace: an abstract Unix socket address (unix(7)).
 * Such addresses belong to the network namespace, exactly as nftables does, and
 * vanish with the process that holds them, so no stale lock can be left behind.
 */

import { AF_UNIX, EADDRINUSE, SOCK_CLOEXEC, SOCK_DGRAM } from "./constants.ts";
import { Libc } from "./libc.ts";

/** sizeof(sun_path) in linux/un.h */
const PATH_BYTES = 108;

export type LockResult =
	| { readonly ok: true; readonly lock: InstanceLock }
	| { readonly ok: false; readonly reason: "held" }
	| { readonly ok: false; readonly reason: "failed"; readonly error: string };

export class InstanceLock {
	readonly #libc: Libc;
	#fd: number;

	private constructor(libc: Libc, fd: number) {
		this.#libc = libc;
		this.#fd = fd;
	}

	/**
	 * Takes the lock on an nftables table of this network namespace, without waiting.
	 * @param table at most 90 bytes.
	 * @throws RangeError for a longer name.
	 */
	static acquire(table: string): LockResult {
		const address = abstractAddress(`portward/${table}`);
		const library = Libc.open();
		if (!library.ok) return { ok: false, reason: "failed", error: library.reason };
		const created = library.libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (!created.ok) return { ok: false, reason: "failed", error: created.error };
		const bound = library.libc.bind(created.value, address);
		if (bound.ok) return { ok: true, lock: new InstanceLock(library.libc, created.value) };
		library.libc.close(created.value);
		if (bound.errno === EADDRINUSE) return { ok: false, reason: "held" };
		return { ok: false, reason: "failed", error: bound.error };
	}

	/** Whether a process of this network namespace, this one included, holds the lock. */
	static isHeld(table: string): boolean {
		const result = InstanceLock.acquire(table);
		if (!result.ok) return result.reason === "held";
		result.lock.release();
		return false;
	}

	/** Gives the lock back. A second call does nothing. */
	release(): void {
		if (this.#fd >= 0) this.#libc.close(this.#fd);
		this.#fd = -1;
	}
}

/** struct sockaddr_un with a leading NUL; the length says where the name ends. */
function abstractAddress(name: string): Uint8Array {
	const encoded = new TextEncoder().encode(name);
	if (encoded.length > PATH_BYTES - 1) throw new RangeError("the table's name is too long for a lock");
	const bytes = new Uint8Array(2 + 1 + encoded.length);
	new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
	bytes.set(encoded, 3);
	return bytes;
}
