/** Writes to an inherited stream socket, such as the journal's, that never wait. */

import { writeSync } from "node:fs";
import { EAGAIN, EINTR, ENOBUFS, MSG_DONTWAIT, MSG_NOSIGNAL } from "./constants.ts";
import { Libc } from "./libc.ts";

/**
 * Sends as many of `bytes` on the connected socket as fit at once and returns how many; 0 when none do, -1 when the
 * other end is gone for good. O_NONBLOCK is left alone: it belongs to whoever shares the socket (send(2)).
 */
export function sendNow(fd: number, bytes: Uint8Array): number {
	// An empty view has no address to give.
	if (bytes.byteLength === 0) return 0;
	const library = Libc.open();
	// Without the C library nothing is enforced, and why is all that there is to say: that may wait for its reader.
	if (!library.ok) return writeWaiting(fd, bytes);
	const sent = library.libc.sendTo(fd, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, null);
	if (sent.ok) return sent.value;
	return sent.errno === EAGAIN || sent.errno === EINTR || sent.errno === ENOBUFS ? 0 : -1;
}

/** The same with write(2), which may wait for the reader. */
export function writeWaiting(fd: number, bytes: Uint8Array): number {
	try {
		return writeSync(fd, bytes);
	} catch (error) {
		return error instanceof Error && "code" in error && error.code === "EAGAIN" ? 0 : -1;
	}
}
