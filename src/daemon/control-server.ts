/**
 * The control socket: verbs that change something, for root alone. The file's
 * mode keeps others out, and the credentials of the peer are checked for every
 * verb all the same: a mode is changed more easily than a process's user.
 */

import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Socket } from "bun";
import { type PeerResult, peerCredentials } from "../../ffi/peer.ts";
import { claimSocketPath, releaseSocketPath, type SocketFile } from "../report/http/unix-socket.ts";
import {
	type ControlReply,
	type ControlRequest,
	longestLine,
	parseRequest,
	patienceMs,
} from "./control-protocol.ts";

/** Connections at a time; more are turned away. */
const mostConnections = 8;

export interface ControlOptions {
	readonly path: string;
	/** Carries out a request of root's. */
	readonly perform: (request: ControlRequest) => ControlReply;
	/** Who connected; of the kernel's own knowledge. */
	readonly credentials?: (fd: number) => PeerResult;
}

export type ControlResult =
	| { readonly ok: true; readonly server: ControlServer }
	| { readonly ok: false; readonly error: string };

interface Connection {
	text: string;
	answered: boolean;
	readonly timer: ReturnType<typeof setTimeout>;
}

export class ControlServer {
	readonly #stop: () => void;

	private constructor(stop: () => void) {
		this.#stop = stop;
	}

	static async open(options: ControlOptions): Promise<ControlResult> {
		const { path, perform, credentials = peerCredentials } = options;
		try {
			mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
			const claim = await claimSocketPath(path);
			if (!claim.ok) return { ok: false, error: claim.message };
			const connections = new Map<Socket, Connection>();
			const listener = Bun.listen({
				unix: claim.temporary,
				socket: {
					open: (socket) => {
						if (connections.size >= mostConnections) {
							socket.terminate();
							return;
						}
						const timer = setTimeout(() => socket.terminate(), patienceMs);
						connections.set(socket, { text: "", answered: false, timer });
					},
					data: (socket, bytes) => {
						const connection = connections.get(socket);
						if (!connection || connection.answered) return;
						connection.text += bytes.toString("latin1");
						const reply = answer(connection.text, () => credentials(fdOf(socket)), perform);
						if (reply === null) return;
						connection.answered = true;
						socket.end(`${JSON.stringify(reply)}\n`);
					},
					close: (socket) => {
						clearTimeout(connections.get(socket)?.timer);
						connections.delete(socket);
					},
					error: (socket) => socket.terminate(),
				},
			});
			chmodSync(claim.temporary, 0o600);
			const file: SocketFile | null = claim.publish();
			const stop = () => {
				for (const socket of connections.keys()) socket.terminate();
				listener.stop(true);
				if (file !== null) releaseSocketPath(file);
			};
			return { ok: true, server: new ControlServer(stop) };
		} catch (error) {
			return { ok: false, error: error instanceof Error ? error.message : String(error) };
		}
	}

	stop(): void {
		this.#stop();
	}
}

/** Null while the line is not complete. */
function answer(
	text: string,
	credentials: () => PeerResult,
	perform: (request: ControlRequest) => ControlReply,
): ControlReply | null {
	const end = text.indexOf("\n");
	if (end < 0 && text.length <= longestLine) return null;
	if (end < 0 || end > longestLine) return { ok: false, message: "the request is too long" };
	const known = credentials();
	if (!known.ok) return { ok: false, message: `the peer cannot be told: ${known.error}` };
	if (known.peer.uid !== 0) return { ok: false, message: "only root may do this" };
	const request = parseRequest(text.slice(0, end));
	if (request === null) return { ok: false, message: "this is no request of this version" };
	return perform(request);
}

/** Bun's sockets have their descriptor; its types leave it out. */
function fdOf(socket: Socket): number {
	const fd: unknown = "fd" in socket ? socket.fd : undefined;
	return typeof fd === "number" ? fd : -1;
}
