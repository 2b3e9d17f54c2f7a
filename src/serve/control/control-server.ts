/**
 * The control socket: verbs that change something, for root alone. The file's
 * mode keeps others out, and the credentials of the peer are checked for every
 * verb all the same: a mode is changed more easily than a process's user.
 *
 * Nobody can keep root's request out: other users never hold a place, a place
 * is held for `patienceMs` at most, and where all are taken a newcomer gets
 * that of the one who has been there longest without asking for anything.
 */

import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Socket } from "bun";
import { type PeerCredentials, type PeerResult, peerCredentials } from "../../../ffi/peer.ts";
import { claimSocketPath, releaseSocketPath, type SocketFile } from "../http/unix-socket.ts";
import {
	type ControlReply,
	type ControlRequest,
	formatReply,
	longestRequest,
	parseRequest,
	patienceMs,
	performMsOf,
} from "./control-protocol.ts";

/** Connections at a time, when those who have had `graceMs` to ask for something make room for newcomers. */
const manyConnections = 64;
/** Connections at a time. More than the queue of those who are not accepted yet (512): all may come at once. */
const mostConnections = 1000;
/** Requests that are carried out at a time. */
const mostBusy = 64;
const graceMs = 100;
/** Time to read an answer, before the connection ends from this side. */
const partingMs = 200;
const mostParting = 64;

const newline = 0x0a;

export interface ControlOptions {
	readonly path: string;
	/** Carries out a request of root's; `peer` is who asked, as the kernel noted it when the connection was made. */
	readonly perform: (request: ControlRequest, peer: PeerCredentials) => Promise<ControlReply>;
	/** Told of what `perform` threw: a bug. */
	readonly failed?: (error: unknown) => void;
	/** Who connected; of the kernel's own knowledge. */
	readonly credentials?: (fd: number) => PeerResult;
	/** Milliseconds after which a request that is still being carried out is answered all the same. */
	readonly performMs?: number;
}

export type ControlResult =
	| { readonly ok: true; readonly server: ControlServer }
	| { readonly ok: false; readonly error: string };

interface Connection {
	readonly peer: PeerCredentials;
	/** performance.now() */
	readonly since: number;
	/** The event loop has been round since it came: had it sent anything by then, that would have been read. */
	heard: boolean;
	readonly chunks: Buffer[];
	length: number;
	/** Its request is being carried out. */
	busy: boolean;
	timer: ReturnType<typeof setTimeout>;
}

export class ControlServer {
	readonly #options: ControlOptions;
	/** In the order in which they came. */
	readonly #connections = new Map<Socket, Connection>();
	#busy = 0;
	/** Answered, and not ended yet. */
	readonly #parting = new Map<Socket, ReturnType<typeof setTimeout>>();
	#close: () => void = () => {};

	private constructor(options: ControlOptions) {
		this.#options = options;
	}

	static async open(options: ControlOptions): Promise<ControlResult> {
		const { path } = options;
		try {
			mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
			const claim = await claimSocketPath(path);
			if (!claim.ok) return { ok: false, error: claim.message };
			const server = new ControlServer(options);
			const listener = Bun.listen({
				unix: claim.temporary,
				socket: {
					open: (socket) => server.#admit(socket),
					data: (socket, bytes) => server.#take(socket, bytes),
					close: (socket) => server.#forget(socket),
					error: (socket) => socket.terminate(),
				},
			});
			chmodSync(claim.temporary, 0o600);
			const file: SocketFile | null = claim.publish();
			server.#close = () => {
				listener.stop(true);
				if (file !== null) releaseSocketPath(file);
			};
			return { ok: true, server };
		} catch (error) {
			return { ok: false, error: error instanceof Error ? error.message : String(error) };
		}
	}

	stop(): void {
		for (const socket of [...this.#connections.keys(), ...this.#parting.keys()]) socket.terminate();
		this.#close();
	}

	#admit(socket: Socket): void {
		const known = (this.#options.credentials ?? peerCredentials)(fdOf(socket));
		if (!known.ok) {
			this.#part(socket, { ok: false, message: `the peer cannot be told: ${known.error}` });
		} else if (known.peer.uid !== 0) {
			this.#part(socket, { ok: false, message: "only root may do this" });
		} else {
			const since = performance.now();
			if (this.#connections.size >= manyConnections) this.#makeRoom(since);
			const timer = setTimeout(() => socket.terminate(), patienceMs);
			const { peer } = known;
			const connection = { peer, since, heard: false, chunks: [], length: 0, busy: false, timer };
			this.#connections.set(socket, connection);
			setImmediate(() =>
				setImmediate(() => {
					connection.heard = true;
				}),
			);
		}
	}

	/** Ends the oldest connection that has asked for nothing, if it has had time to, or if there is no other room. */
	#makeRoom(now: number): void {
		for (const [socket, { busy, since, heard }] of this.#connections) {
			if (busy) continue;
			if ((!heard || now - since < graceMs) && this.#connections.size < mostConnections) return;
			this.#forget(socket);
			socket.terminate();
			return;
		}
	}

	#forget(socket: Socket): void {
		const connection = this.#connections.get(socket);
		if (connection?.busy) this.#busy -= 1;
		clearTimeout(connection?.timer);
		this.#connections.delete(socket);
		clearTimeout(this.#parting.get(socket));
		this.#parting.delete(socket);
	}

	#take(socket: Socket, bytes: Buffer): void {
		const connection = this.#connections.get(socket);
		if (!connection || connection.busy) return;
		const end = bytes.indexOf(newline);
		const length = connection.length + (end < 0 ? bytes.length : end);
		if (length > longestRequest) {
			this.#part(socket, { ok: false, message: "the request is too long" });
			return;
		}
		// A copy: Bun uses the memory of what it gives for the next chunk.
		connection.chunks.push(Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)));
		connection.length = length;
		if (end < 0) return;
		const request = parseRequest(Buffer.concat(connection.chunks).toString("utf8"));
		if (request === null) {
			this.#part(socket, { ok: false, message: "this is no request of this version" });
			return;
		}
		if (this.#busy >= mostBusy) {
			this.#part(socket, { ok: false, message: "the daemon is busy with other requests; try again" });
			return;
		}
		connection.busy = true;
		this.#busy += 1;
		clearTimeout(connection.timer);
		connection.timer = setTimeout(() => {
			const message = "this takes long; portward status shows what becomes of it";
			this.#part(socket, { ok: false, message });
		}, this.#options.performMs ?? performMsOf(request.verb));
		void this.#perform(socket, request, connection.peer);
	}

	async #perform(socket: Socket, request: ControlRequest, peer: PeerCredentials): Promise<void> {
		let reply: ControlReply;
		try {
			reply = await this.#options.perform(request, peer);
		} catch (error) {
			this.#options.failed?.(error);
			reply = { ok: false, message: "a bug in the daemon; its log says more" };
		}
		if (this.#connections.has(socket)) this.#part(socket, reply);
	}

	/**
	 * Answers, and ends the connection a little later, where the peer does not: to one that is still connecting
	 * or writing, an end at once would be an error that hides the answer. Nothing more is read. The
	 * answer fits the socket's buffer.
	 */
	#part(socket: Socket, reply: ControlReply): void {
		this.#forget(socket);
		socket.pause();
		socket.write(formatReply(reply));
		for (const oldest of this.#parting.keys()) {
			if (this.#parting.size < mostParting) break;
			this.#forget(oldest);
			oldest.terminate();
		}
		this.#parting.set(
			socket,
			setTimeout(() => socket.terminate(), partingMs),
		);
	}
}

/** Bun's sockets have their descriptor; its types leave it out. */
function fdOf(socket: Socket): number {
	const fd: unknown = "fd" in socket ? socket.fd : undefined;
	return typeof fd === "number" ? fd : -1;
}
