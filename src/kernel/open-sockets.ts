/**
 * TCP sockets from /proc/net/tcp and tcp6 (proc_pid_net(5)), for kernels
 * without sock_diag.
 */

import { readFileSync } from "node:fs";
import { formatIpv4, formatIpv6 } from "../base/address.ts";
import { tcp } from "../base/protocol.ts";
import { type DiagSocket, tcpState } from "./socket-diag.ts";

const { established, finWait1, finWait2, closeWait, lastAck, listen, closing } = tcpState;
/** Those that have a peer, or wait for one. */
const states: ReadonlySet<number> = new Set([
	established,
	finWait1,
	finWait2,
	closeWait,
	lastAck,
	listen,
	closing,
]);

const row =
	/^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) /gmu;

/** None where /proc does not tell. */
export function readProcSockets(): readonly DiagSocket[] {
	return parseSockets(["tcp", "tcp6"].map((name) => read(`/proc/thread-self/net/${name}`)).join("\n"));
}

/** Reads the text of both files together. */
export function parseSockets(text: string): readonly DiagSocket[] {
	return [...text.matchAll(row)].flatMap(
		([, localHex = "", localPort = "", remoteHex = "", remotePort = "", stateHex = ""]): DiagSocket[] => {
			const state = Number.parseInt(stateHex, 16);
			if (!states.has(state)) return [];
			const local = formatAddress(localHex);
			return [
				{
					family: local.includes(":") ? 6 : 4,
					protocol: tcp,
					local,
					localPort: Number.parseInt(localPort, 16),
					remote: formatAddress(remoteHex),
					remotePort: Number.parseInt(remotePort, 16),
					state,
					surplus: null,
					handle: null,
				},
			];
		},
	);
}

const mapped = "::ffff:";

/** Words of 32 bits, each printed as a number of this machine, whose bytes are in the reverse order. */
function formatAddress(hex: string): string {
	const bytes = Uint8Array.fromHex(hex);
	for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
	if (bytes.length === 4) return formatIpv4(bytes, 0);
	const text = formatIpv6(bytes, 0);
	return text.startsWith(mapped) && text.includes(".") ? text.slice(mapped.length) : text;
}

function read(path: string): string {
	try {
		return readFileSync(path, "latin1");
	} catch {
		// No IPv6, or no /proc: connection tracking is all that is left.
		return "";
	}
}
