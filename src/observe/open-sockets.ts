/**
 * The TCP connections that this network namespace's own sockets have, from
 * /proc/net/tcp and tcp6 (proc_pid_net(5)). Connections older than the first
 * rule that asks for connection tracking are known nowhere else.
 */

import { readFileSync } from "node:fs";
import { formatIpv4, formatIpv6 } from "./address.ts";

export interface OpenSocket {
	readonly family: 4 | 6;
	readonly local: string;
	readonly localPort: number;
	readonly remote: string;
	readonly remotePort: number;
	/** Somebody listens on the local port, so the other end made the connection. */
	readonly accepted: boolean;
	/** One end at least has said that it sends no more; what was sent may still be on its way. */
	readonly closing: boolean;
}

/** include/net/tcp_states.h */
const ESTABLISHED = "01";
/** ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING. */
const openStates: ReadonlySet<string> = new Set([ESTABLISHED, "04", "05", "08", "09", "0B"]);
const LISTEN = "0A";

const row =
	/^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) /gmu;

/** None where /proc does not tell. */
export function openSockets(): readonly OpenSocket[] {
	return parseSockets(["tcp", "tcp6"].map((name) => read(`/proc/thread-self/net/${name}`)).join("\n"));
}

/** Reads the text of both files together: a socket of IPv6 may accept connections of IPv4. */
export function parseSockets(text: string): readonly OpenSocket[] {
	const rows = [...text.matchAll(row)].map(
		([, local = "", localPort = "", remote = "", remotePort = "", state]) => ({
			local,
			localPort: Number.parseInt(localPort, 16),
			remote,
			remotePort: Number.parseInt(remotePort, 16),
			state: state ?? "",
		}),
	);
	const listening = new Set(rows.filter(({ state }) => state === LISTEN).map(({ localPort }) => localPort));
	return rows
		.filter(({ state }) => openStates.has(state))
		.map(({ local, localPort, remote, remotePort, state }) => {
			const address = formatAddress(local);
			return {
				family: address.includes(":") ? 6 : 4,
				local: address,
				localPort,
				remote: formatAddress(remote),
				remotePort,
				accepted: listening.has(localPort),
				closing: state !== ESTABLISHED,
			};
		});
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
