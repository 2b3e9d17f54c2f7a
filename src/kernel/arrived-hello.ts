/** What has arrived in a socket and nobody has read yet. */

import { peekStream } from "../../ffi/peek.ts";
import { judgeHello, longestHello } from "./client-hello.ts";

const buffer = new Uint8Array(longestHello);

/** Whether what waits in this TCP socket begins a TLS handshake; it stays to be read. Never waits. */
export function arrivedHello(fd: number): ReturnType<typeof judgeHello> {
	const length = peekStream(fd, buffer);
	return length < 0 ? "other" : judgeHello(buffer.subarray(0, length));
}
