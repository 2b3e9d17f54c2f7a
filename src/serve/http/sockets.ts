/** What Bun's sockets do to connections, plain and under TLS. */

import { type ConnectionEnds, clientKey } from "./client-key.ts";
import { Connection, type Host } from "./connection.ts";
import type { HandshakeBudget } from "./handshake-budget.ts";
import { HelloGate } from "./hello-gate.ts";

/** The server behind the sockets. */
export interface SocketUser extends Host {
	/** Makes room for one more connection of this client; false when there is none to be had. */
	admit(client: string): boolean;
	add(connection: Connection): void;
	/** Which user of this host has the other end; null for none. */
	localUser(ends: ConnectionEnds): number | null;
}

type Handlers = Bun.SocketHandler<Connection | undefined>;
type Socket = Bun.Socket<Connection | undefined>;

function begin(socket: Socket, user: SocketUser, client: string): Connection | null {
	if (!user.admit(client)) {
		socket.terminate();
		return null;
	}
	const connection = new Connection(wireOf(socket), user, client);
	socket.data = connection;
	user.add(connection);
	return connection;
}

function wireOf(socket: Socket): ConstructorParameters<typeof Connection>[0] {
	return {
		write: (bytes) => socket.write(bytes),
		shutdown: () => socket.shutdown(),
		close: () => socket.terminate(),
	};
}

const common: Omit<Handlers, "open" | "data"> = {
	drain: (socket) => socket.data?.drain(),
	end: (socket) => socket.data?.receiveEnd(),
	close: (socket) => socket.data?.close(),
	error: (socket) => socket.data?.close(),
};

/** For a Unix socket; `admitPeer` decides by the descriptor who may stay. */
export function unixHandlers(user: SocketUser, admitPeer: (fd: number) => boolean): Handlers {
	return {
		...common,
		open(socket) {
			if (admitPeer(descriptorOf(socket))) begin(socket, user, "");
			else socket.terminate();
		},
		data: (socket, bytes) => socket.data?.receive(bytes),
	};
}

export function plainHandlers(user: SocketUser): Handlers {
	return {
		...common,
		open: (socket) => void begin(socket, user, clientOf(socket, user)),
		data: (socket, bytes) => socket.data?.receive(bytes),
	};
}

/**
 * A connection counts from its first packet on, so that the time for a request's head covers the handshake.
 * That begins once the ClientHello is there and the budget has room for it. `needCertificate`: who shows
 * none of the right CA is gone before it is heard.
 */
export function tlsHandlers(
	user: SocketUser,
	tls: Bun.TLSOptions,
	needCertificate: boolean,
	budget: HandshakeBudget,
): Handlers {
	const gate = new HelloGate();
	const secured = secureHandlers(user, needCertificate, budget);
	return {
		open(socket) {
			const connection = begin(socket, user, clientOf(socket, user));
			if (connection === null) return;
			// What arrives stays in the kernel, where the gate looks at it.
			socket.pause();
			connection.onLeave = gate.wait(descriptorOf(socket), (hello) => {
				const wanted = hello && connection.phase === "head";
				if (!wanted || !budget.admit(connection.client, user.monotonic())) connection.close();
				else secure(socket, connection, tls, secured);
			});
		},
		data() {
			// The bytes of the records, which the socket on top of this one deciphers.
		},
		close: (socket) => socket.data?.close(),
		error: (socket) => socket.data?.close(),
	};
}

function secure(socket: Socket, connection: Connection, tls: Bun.TLSOptions, handlers: Handlers): void {
	// As of Bun 1.4.5 this takes the server's side where it is told to; its types leave that out.
	const options = { isServer: true, tls, data: connection, socket: handlers };
	const [, upper] = socket.upgradeTLS<Connection | undefined>(options);
	connection.moveTo(wireOf(upper));
	upper.resume();
}

function secureHandlers(user: SocketUser, needCertificate: boolean, budget: HandshakeBudget): Handlers {
	const secured = new WeakSet<Socket>();
	return {
		...common,
		handshake(socket, success) {
			// Without a CA of ours Bun reports that it could not check what nobody asked for.
			if (!success || (needCertificate && !socket.authorized)) {
				socket.terminate();
				return;
			}
			secured.add(socket);
			if (needCertificate && socket.data) budget.authenticated(socket.data.client, user.monotonic());
		},
		data(socket, bytes) {
			if (secured.has(socket)) socket.data?.receive(bytes);
			else socket.terminate();
		},
	};
}

function clientOf(socket: Socket, user: SocketUser): string {
	const { remoteAddress, remotePort, localAddress, localPort } = socket;
	return clientKey({ remoteAddress, remotePort, localAddress, localPort }, (ends) => user.localUser(ends));
}

/** Bun's sockets have their descriptor; its types leave it out. */
function descriptorOf(socket: Socket): number {
	const fd: unknown = "fd" in socket ? socket.fd : undefined;
	return typeof fd === "number" ? fd : -1;
}
