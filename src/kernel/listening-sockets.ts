/**
 * What listens and speaks in this network namespace, from /proc/net (proc_pid_net(5)): TCP sockets that listen, UDP
 * sockets that are bound, those of the kernel's own tunnels included, and raw sockets by protocol.
 */

import { readFileSync } from "node:fs";
import { formatIpv4, formatIpv6 } from "../base/address.ts";

export interface ListeningSocket {
	readonly kind: "tcp" | "udp" | "raw";
	readonly family: 4 | 6;
	/** Its own address; 0.0.0.0 or :: for every one. */
	readonly local: string;
	/** The local port; of a raw socket the IP protocol number. */
	readonly number: number;
	/** The port that a UDP socket is connected to; 0 where it hears anybody. */
	readonly remotePort: number;
}

const LISTEN = "0A";
const row =
	/^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) (?:[0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) /gmu;

const files = [
	["tcp", 4],
	["tcp", 6],
	["udp", 4],
	["udp", 6],
	["raw", 4],
	["raw", 6],
] as const;

/** None where /proc does not tell. */
export function listeningSockets(kinds: readonly ListeningSocket["kind"][]): ListeningSocket[] {
	const wanted = files.filter(([kind]) => kinds.includes(kind));
	return wanted.flatMap(([kind, family]) =>
		parseListening(kind, family, read(`/proc/thread-self/net/${kind}${family === 6 ? "6" : ""}`)),
	);
}

/** Reads the text of one of the files. */
export function parseListening(
	kind: ListeningSocket["kind"],
	family: 4 | 6,
	text: string,
): ListeningSocket[] {
	return [...text.matchAll(row)].flatMap(([, local = "", port = "", remotePort = "", state]) =>
		kind === "tcp" && state !== LISTEN
			? []
			: [
					{
						kind,
						family,
						local: addressOf(local),
						number: Number.parseInt(port, 16),
						remotePort: Number.parseInt(remotePort, 16),
					},
				],
	);
}

/** The kernel prints each 32-bit word of an address in host order (little-endian here). */
function addressOf(text: string): string {
	const bytes = Buffer.from(text, "hex");
	for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
	return bytes.length === 4 ? formatIpv4(bytes, 0) : formatIpv6(bytes, 0);
}

function read(path: string): string {
	try {
		return readFileSync(path, "latin1");
	} catch {
		return "";
	}
}
