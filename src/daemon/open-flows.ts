/** The open connections of this network namespace, as connection tracking and the host's own sockets tell them. */

import type { JudgedFlow, TrackedFlow, Tuple } from "../apply/open-connections.ts";
import { Conntrack, type ConntrackEntry } from "../observe/conntrack.ts";
import { type LocalInterfaces, localInterfaces } from "../observe/local-interfaces.ts";
import { type OpenSocket, openSockets } from "../observe/open-sockets.ts";

/** Never an interface's name, so only rules without `iface` match it. */
const otherInterface = "";

/** IP protocol number. */
const tcp = 6;

/** The host's end of the network, as far as judging a flow needs it. */
export class HostNetwork {
	/** Interfaces that rules can mean: all but the loopback, and one that no rule names. */
	readonly everywhere: readonly string[];
	readonly #addresses: LocalInterfaces["addresses"];

	constructor({ names, addresses }: LocalInterfaces) {
		this.everywhere = [...names.filter((name) => name !== "lo"), otherInterface];
		this.#addresses = addresses;
	}

	static read():
		| { readonly ok: true; readonly network: HostNetwork }
		| { readonly ok: false; readonly error: string } {
		const own = localInterfaces();
		return own.ok ? { ok: true, network: new HostNetwork(own.interfaces) } : own;
	}

	isLocal(address: string): boolean {
		return this.#addresses.has(address) || address.startsWith("127.") || address === "::1";
	}

	/** The interfaces that have the local address of a flow. */
	owners(judged: JudgedFlow, flow: TrackedFlow): readonly string[] {
		return this.#addresses.get(localAddress(judged, flow)) ?? [];
	}
}

/** The address of this host that a flow's packets carry. */
export function localAddress({ direction }: JudgedFlow, { original, reply }: TrackedFlow): string {
	return direction === "egress" ? original.source : reply.source;
}

/**
 * Yields the entries of connection tracking, then the TCP connections that it does not know, and returns why
 * entries are missing, or "".
 */
export function* openFlows(): Generator<ConntrackEntry | TrackedFlow, string> {
	let error = "";
	const untracked = new Map(openSockets().map((socket) => [keyOf(socketTuple(socket)), socket]));
	const opened = Conntrack.open();
	if (!opened.ok) error = opened.error;
	else {
		try {
			for (const family of [4, 6] as const) {
				const entries = opened.conntrack.dump(family);
				for (let step = entries.next(); ; step = entries.next()) {
					if (step.done === true) {
						if (!step.value.ok) error = step.value.error;
						break;
					}
					untracked.delete(keyOf(step.value.original));
					untracked.delete(keyOf(step.value.reply));
					yield step.value;
				}
			}
		} finally {
			opened.conntrack.close();
		}
	}
	for (const socket of untracked.values()) yield socketFlow(socket);
	return error;
}

/** Whether connection tracking has the flow, so that there is an entry to delete. */
export function isTracked(flow: ConntrackEntry | TrackedFlow): flow is ConntrackEntry {
	return "key" in flow;
}

/** The connection as its own end sees it. */
function socketTuple({ local, localPort, remote, remotePort }: OpenSocket): Tuple {
	return { source: local, sourcePort: localPort, destination: remote, destinationPort: remotePort };
}

function keyOf({ source, sourcePort, destination, destinationPort }: Tuple): string {
	return `${source} ${sourcePort} ${destination} ${destinationPort}`;
}

/** The connection as connection tracking would tell it; who listens on the local port did not make it. */
export function socketFlow(socket: OpenSocket): TrackedFlow {
	const out = socketTuple(socket);
	const back: Tuple = {
		source: out.destination,
		sourcePort: out.destinationPort,
		destination: out.source,
		destinationPort: out.sourcePort,
	};
	const [original, reply] = socket.accepted ? [back, out] : [out, back];
	return { family: socket.family, protocol: tcp, original, reply };
}
