/** What waits to be read in a stream socket, without taking it. */

import { EAGAIN, EINTR, MSG_DONTWAIT, MSG_PEEK } from "./constants.ts";
import { Libc } from "./libc.ts";

/** struct sockaddr_in6, the longest that a TCP socket may be given. */
const ADDRESS_BYTES = 28;

/**
 * Copies what has arrived into `buffer`, and leaves it to be read. Never waits.
 * @returns the number of bytes; 0 when there are none yet; -1 when none will come: the other end is done, or gone.
 */
export function peekStream(fd: number, buffer: Uint8Array): number {
	const library = Libc.open();
	if (!library.ok) return -1;
	const got = library.libc.receiveFrom(fd, buffer, MSG_PEEK | MSG_DONTWAIT, new Uint8Array(ADDRESS_BYTES));
	if (got.ok) return got.value === 0 ? -1 : got.value;
	return got.errno === EAGAIN || got.errno === EINTR ? 0 : -1;
}
