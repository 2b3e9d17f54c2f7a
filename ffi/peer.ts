/** Who is at the other end of a Unix socket (SO_PEERCRED, unix(7)). */

import { SO_PEERCRED, SOL_SOCKET } from "./constants.ts";
import { Libc } from "./libc.ts";

export interface PeerCredentials {
	readonly pid: number;
	readonly uid: number;
	readonly gid: number;
}

export type PeerResult =
	| { readonly ok: true; readonly peer: PeerCredentials }
	| { readonly ok: false; readonly error: string };

/** The credentials that the kernel noted when the peer connected. Fails for what is no Unix socket. */
export function peerCredentials(fd: number): PeerResult {
	const library = Libc.open();
	if (!library.ok) return { ok: false, error: library.reason };
	// struct ucred: pid_t, uid_t, gid_t
	const bytes = new Uint8Array(12);
	const got = library.libc.getOption(fd, SOL_SOCKET, SO_PEERCRED, bytes);
	if (!got.ok) return got;
	const view = new DataView(bytes.buffer);
	const peer = { pid: view.getInt32(0, true), uid: view.getUint32(4, true), gid: view.getUint32(8, true) };
	// Other kinds of sockets have no peer: pid 0, and -1 for the rest.
	if (got.value !== bytes.length || peer.pid <= 0) return { ok: false, error: "the peer has no credentials" };
	return { ok: true, peer };
}
