/**
 * UDP servers that must not speak first to whom a new Block shuts out. What
 * passed between them may be forgotten by connection tracking, and a socket
 * without a peer tells nothing of it; so the server's next datagram would open
 * a flow of its own, and let in the answers. Pure text.
 */

import type { Family } from "../../../base/model.ts";
import { isPlainInterface } from "../../../document/iface.ts";
import { endedChain } from "../compile/render/render.ts";
import { refusedCounter } from "./refused-flows.ts";

/** A local port that sends nothing new to these addresses. */
export interface MutedPort {
	readonly family: Family;
	/** Null: whatever the interface. */
	readonly interface: string | null;
	readonly port: number;
	/** Canonical addresses, inclusive. */
	readonly first: string;
	readonly last: string;
}

export interface MutedSet {
	readonly name: string;
	readonly family: Family;
	readonly kind: "everywhere" | "interface";
}

export const mutedSets: readonly MutedSet[] = [
	{ name: "muted4", family: 4, kind: "everywhere" },
	{ name: "muted6", family: 6, kind: "everywhere" },
	{ name: "muted_if4", family: 4, kind: "interface" },
	{ name: "muted_if6", family: 6, kind: "interface" },
];

/** Below are the servers that this host asks; a client has a port of its own above. */
const firstClientPort = 1024;
const lastPort = 65_535;

/**
 * Replaces the muted ports, in the same transaction as and behind what replaces the refused flows. Kernels without
 * concatenated intervals refuse it.
 */
export function replaceMuted(table: string, muted: readonly MutedPort[]): string {
	return mutedSets
		.map((set) => {
			const { name, family, kind } = set;
			const elements = muted.flatMap((one) => elementsOf(set, one));
			const type = `${kind === "interface" ? "ifname . " : ""}${family === 4 ? "ipv4_addr" : "ipv6_addr"}`;
			const made = `add set inet ${table} ${name} { type ${type} . inet_service . inet_service; flags interval; }\n`;
			// An empty set costs nothing, but what is in it would be believed by the next daemon.
			if (elements.length === 0) return `${made}delete set inet ${table} ${name}\n`;
			const key = `${kind === "interface" ? "oifname . " : ""}${family === 4 ? "ip" : "ip6"} daddr . udp sport . udp dport`;
			return (
				`${made}flush set inet ${table} ${name}\n` +
				`add element inet ${table} ${name} { ${elements.join(", ")} }\n` +
				`add rule inet ${table} ${endedChain("egress")} ${key} @${name} counter name "${refusedCounter("egress")}" drop\n`
			);
		})
		.join("");
}

/** The same port at both ends (NTP, IKE) is a peer's, not a client's. */
function elementsOf(set: MutedSet, { family, interface: name, port, first, last }: MutedPort): string[] {
	if (family !== set.family || (name !== null) !== (set.kind === "interface")) return [];
	if (name !== null && !isPlainInterface(name)) return [];
	const key = `${name === null ? "" : `"${name}" . `}${first === last ? first : `${first}-${last}`} . ${port}`;
	return [
		[firstClientPort, port - 1],
		[Math.max(firstClientPort, port + 1), lastPort],
	].flatMap(([from = 0, to = 0]) => (from > to ? [] : [`${key} . ${from === to ? from : `${from}-${to}`}`]));
}
