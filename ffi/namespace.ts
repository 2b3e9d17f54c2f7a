/** A network namespace of this thread's own (unshare(2)): it ends with the process, and nothing in it is the host's. */

import { readlinkSync } from "node:fs";
import { Libc } from "./libc.ts";

/** linux/sched.h */
const CLONE_NEWNET = 0x40000000;
/** asm/unistd.h */
const UNSHARE: Readonly<Record<string, number>> = { x64: 272, arm64: 97 };
const IOCTL: Readonly<Record<string, number>> = { x64: 16, arm64: 29 };
/** linux/if_tun.h */
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 0x1;
const IFF_NO_PI = 0x1000;
const IFF_TUN_EXCL = 0x8000;
/** struct ifreq of linux/if.h */
const IFREQ_BYTES = 40;
const longestName = 15;

type Failure = { readonly ok: false; readonly error: string };

/** Of the calling thread: /proc/self is the main thread's. */
function ownNamespace(): string {
	return readlinkSync("/proc/thread-self/ns/net");
}

/**
 * Leaves the network namespace of this thread for a new one, for good. Threads that exist already stay where they are.
 * Where it is not certain that this thread is in another namespace than before, it is an error.
 */
export function leaveNetwork(): { readonly ok: true } | Failure {
	const library = Libc.open();
	if (!library.ok) return { ok: false, error: library.reason };
	const number = UNSHARE[process.arch];
	if (number === undefined) return { ok: false, error: `unshare is not known on ${process.arch}` };
	try {
		const before = ownNamespace();
		const left = library.libc.systemCall("unshare", number, [CLONE_NEWNET]);
		if (!left.ok) return left;
		if (ownNamespace() === before) return { ok: false, error: "the thread is in the same network as before" };
		return { ok: true };
	} catch (error) {
		return { ok: false, error: error instanceof Error ? error.message : String(error) };
	}
}

/**
 * Makes a network interface whose packets are read from and written to a descriptor (tun(7)), without a header of its
 * own. It goes when the descriptor is closed.
 * @param fd of /dev/net/tun, opened for reading and writing.
 * @param name at most 15 bytes of ASCII; it must not exist yet.
 */
export function makeTunnel(fd: number, name: string): { readonly ok: true } | Failure {
	const library = Libc.open();
	if (!library.ok) return { ok: false, error: library.reason };
	const number = IOCTL[process.arch];
	if (number === undefined) return { ok: false, error: `ioctl is not known on ${process.arch}` };
	const bytes = new TextEncoder().encode(name);
	if (bytes.length === 0 || bytes.length > longestName)
		throw new RangeError("an interface has 1 to 15 bytes in its name");
	const request = new Uint8Array(IFREQ_BYTES);
	request.set(bytes);
	new DataView(request.buffer).setUint16(16, IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL, true);
	return library.libc.systemCall("TUNSETIFF", number, [fd, TUNSETIFF, request]);
}
