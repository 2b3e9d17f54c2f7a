/**
 * One address, whose connections are handed to gRPC once they are let in. The number of connections, the time of a
 * handshake and, on a unix socket, who is at the other end are decided here, before any of gRPC runs.
 */

import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { TLSSocket, type TlsOptions } from "node:tls";
import type { ListenAddress } from "../http/address.ts";
import type { ServerTls } from "../http/certificate.ts";
import { claimSocketPath, releaseSocketPath, type SocketFile } from "../http/unix-socket.ts";

export interface ListenerLimits {
	readonly connections: number;
	/** Milliseconds for a TLS handshake. */
	readonly handshake: number;
	/** Milliseconds for which a connection that we ended waits for the other side to end it. */
	readonly linger: number;
}

export interface ListenerUser {
	/** A connection that is let in. */
	take(socket: Socket): void;
	/** The other ends of connections that do something, and so do not give way. */
	busy(): ReadonlySet<string>;
	/** A connection came or went, or `failed`. */
	changed(failed: boolean): void;
}

/** The name of a socket's other end, as gRPC gives it. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
	return `${remoteAddress}:${remotePort}`;
}

/** On a unix socket all other ends are without a name: by one of its own gRPC tells which connection does something. */
function nameEnd(socket: Socket, number: number): void {
	if (socket.remoteAddress !== undefined) return;
	Object.defineProperties(socket, { remoteAddress: { value: "unix" }, remotePort: { value: number } });
}

export class ApiListener {
	readonly #user: ListenerUser;
	readonly #limits: ListenerLimits;
	readonly #server: Server;
	/** In order of arrival. */
	readonly #sockets = new Set<Socket>();
	#tls: TlsOptions | null = null;
	#file: SocketFile | null = null;
	/** Connections so far. */
	#admitted = 0;

	constructor(user: ListenerUser, limits: ListenerLimits) {
		this.#user = user;
		this.#limits = limits;
		this.#server = createServer((socket) => this.#admit(socket));
	}

	get connections(): number {
		return this.#sockets.size;
	}

	/** The port that the kernel chose for port 0. */
	get port(): number {
		const address = this.#server.address();
		return typeof address === "object" && address !== null ? address.port : 0;
	}

	/** What connections are asked for from now on; null: no TLS. */
	secure(tls: ServerTls | null): void {
		this.#tls =
			tls === null
				? null
				: {
						cert: tls.cert,
						key: tls.key,
						minVersion: "TLSv1.2",
						ALPNProtocols: ["h2"],
						...(tls.clientCa === null
							? {}
							: { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
					};
	}

	/** Resolves with why it cannot listen, or "". */
	async listen(address: ListenAddress): Promise<string> {
		try {
			if (address.kind === "tcp") {
				await this.#bind({ host: address.host, port: address.port });
				return "";
			}
			const claim = await claimSocketPath(address.path, "-api");
			if (!claim.ok) return claim.message;
			await this.#bind({ path: claim.temporary });
			// Root's alone before it gets its name.
			chmodSync(claim.temporary, 0o600);
			this.#file = claim.publish();
			return "";
		} catch (error) {
			this.#server.close();
			return error instanceof Error ? error.message : String(error);
		}
	}

	/** Ends every connection and listens no more. */
	close(): void {
		if (this.#file !== null) releaseSocketPath(this.#file);
		this.#file = null;
		this.#server.close();
		this.disconnect();
	}

	/** Ends every connection; clients that may come back do. */
	disconnect(): void {
		for (const socket of this.#sockets) socket.destroy();
	}

	#bind(where: { readonly host: string; readonly port: number } | { readonly path: string }): Promise<void> {
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		this.#server.once("error", reject);
		this.#server.listen(where, () => {
			this.#server.off("error", reject);
			// Accepting may fail for want of descriptors: the next one may be taken again.
			this.#server.on("error", () => this.#user.changed(true));
			resolve();
		});
		return promise;
	}

	#admit(socket: Socket): void {
		socket.on("error", () => this.#user.changed(true));
		if (!this.#makeRoom()) {
			socket.destroy();
			this.#user.changed(true);
			return;
		}
		nameEnd(socket, ++this.#admitted);
		this.#sockets.add(socket);
		socket.on("close", () => {
			this.#sockets.delete(socket);
			this.#user.changed(false);
		});
		this.#user.changed(false);
		if (this.#tls === null) this.#give(socket, socket);
		else this.#shake(socket, this.#tls);
	}

	/** gRPC ends its side of a connection in good order, and would wait for ever for the other side to end. */
	#give(secured: Socket, socket: Socket): void {
		secured.on("finish", () => setTimeout(() => socket.destroy(), this.#limits.linger).unref());
		this.#user.take(secured);
	}

	/** In a full listener the oldest connection that does nothing gives way; false where all do something. */
	#makeRoom(): boolean {
		if (this.#sockets.size < this.#limits.connections) return true;
		const busy = this.#user.busy();
		const idle = [...this.#sockets].find((socket) => !busy.has(peerOf(socket)));
		if (idle === undefined) return false;
		this.#sockets.delete(idle);
		idle.destroy();
		return true;
	}

	#shake(socket: Socket, options: TlsOptions): void {
		const secured = new TLSSocket(socket, { ...options, isServer: true });
		const fail = () => {
			socket.destroy();
			this.#user.changed(true);
		};
		const timer = setTimeout(fail, this.#limits.handshake);
		secured.on("error", () => {
			clearTimeout(timer);
			fail();
		});
		secured.on("close", () => clearTimeout(timer));
		secured.on("secure", () => {
			clearTimeout(timer);
			// Bun checks the certificate itself. That it did is not left to trust.
			if (options.requestCert === true && !secured.authorized) fail();
			else this.#give(secured, socket);
		});
	}
}
