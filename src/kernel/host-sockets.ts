/**
 * The sockets of this network namespace, and who waits on which port: what
 * sock_diag tells, or /proc where the kernel has none.
 */

import { tcp } from "../base/protocol.ts";
import { readProcSockets } from "./open-sockets.ts";
import {
	type DiagSocket,
	diagSockets,
	type SocketHandle,
	type SocketOwnership,
	tcpState,
} from "./socket-diag.ts";

/** One socket with a peer. */
export interface HostSocket {
	readonly family: 4 | 6;
	/** 6 or 17. */
	readonly protocol: number;
	readonly local: string;
	readonly localPort: number;
	readonly remote: string;
	readonly remotePort: number;
	/** One end at least has said that it sends no more; what was sent may still be on its way. */
	readonly closing: boolean;
	/** See DiagSocket. */
	readonly surplus: number | null;
	/** Null where the kernel cannot end a single socket. */
	readonly handle: SocketHandle | null;
	readonly owner?: SocketOwnership;
}

export class HostSockets {
	/** Those with a peer, by `socketKey`. */
	readonly connected: ReadonlyMap<string, HostSocket>;
	/** Local addresses of those that wait for anybody, by protocol and port. */
	readonly #waiting: ReadonlyMap<string, ReadonlySet<string>>;

	constructor(sockets: readonly DiagSocket[]) {
		const connected = new Map<string, HostSocket>();
		const waiting = new Map<string, Set<string>>();
		for (const socket of sockets) {
			const { protocol, local, localPort, remote, remotePort, state } = socket;
			if (protocol === tcp ? state === tcpState.listen : remotePort === 0) {
				const key = `${protocol} ${localPort}`;
				waiting.set(key, (waiting.get(key) ?? new Set()).add(local));
			} else if (remotePort !== 0) {
				const key = socketKey(protocol, local, localPort, remote, remotePort);
				connected.set(key, { ...socket, closing: state !== tcpState.established });
			}
		}
		this.connected = connected;
		this.#waiting = waiting;
	}

	/** Reads what there is now; none where neither sock_diag nor /proc tells. */
	static read(): HostSockets {
		const read = diagSockets();
		return new HostSockets(read.ok ? read.sockets : readProcSockets());
	}

	/** Whether a socket waits on this port for whoever comes: a TCP listener, or a UDP socket without a peer. */
	serves(protocol: number, local: string, port: number): boolean {
		const addresses = this.#waiting.get(`${protocol} ${port}`);
		return (
			addresses !== undefined && (addresses.has(local) || addresses.has("0.0.0.0") || addresses.has("::"))
		);
	}

	/** The ports on which UDP sockets without a peer wait. */
	get udpPorts(): readonly number[] {
		return [...this.#waiting.keys()].flatMap((key) => (key.startsWith("17 ") ? [Number(key.slice(3))] : []));
	}
}

/** Names a flow as its own end sees it. */
export function socketKey(
	protocol: number,
	local: string,
	localPort: number,
	remote: string,
	remotePort: number,
): string {
	return `${protocol} ${local} ${localPort} ${remote} ${remotePort}`;
}
