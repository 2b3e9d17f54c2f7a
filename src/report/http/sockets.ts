/** What Bun's sockets do to connections, plain and under TLS. */

import { Connection, type Host } from "./connection.ts";
import type { HandshakeBudget } from "./handshake-budget.ts";

/** The server behind the sockets. */
export interface SocketUser extends Host {
	/** Makes room for one more connection; false when there is none to be had. */
	admit(): boolean;
	add(connection: Connection): void;
}

type Handlers = Bun.SocketHandler<Connection | undefined>;
type Socket = Bun.Socket<Connection | undefined>;

function begin(socket: Socket, user: SocketUser): void {
	if (!user.admit()) {
		socket.terminate();
		return;
	}
	socket.data = new Connection(
		{
			write: (bytes) => socket.write(bytes),
			shutdown: () => socket.shutdown(),
			close: () => socket.terminate(),
		},
		user,
	);
	user.add(socket.data);
}

const common: Omit<Handlers, "open" | "data"> = {
	drain: (socket) => socket.data?.drain(),
	end: (socket) => socket.data?.receiveEnd(),
	close: (socket) => socket.data?.close(),
	error: (socket) => socket.data?.close(),
};

/** `admitPeer` decides by the socket's descriptor who may stay. */
export function plainHandlers(user: SocketUser, admitPeer: (fd: number) => boolean): Handlers {
	return {
		...common,
		open(socket) {
			if (admitPeer(descriptorOf(socket))) begin(socket, user);
			else socket.terminate();
		},
		data: (socket, bytes) => socket.data?.receive(bytes),
	};
}

/**
 * A connection counts from its first packet on, so that the time for a request's head covers
 * the handshake. `needCertificate`: who shows none of the right CA is gone before it is heard.
 */
export function tlsHandlers(user: SocketUser, needCertificate: boolean, budget: HandshakeBudget): Handlers {
	const secured = new WeakSet<Socket>();
	return {
		...common,
		open(socket) {
			if (budget.admit(socket.remoteAddress, user.monotonic())) begin(socket, user);
			else socket.terminate();
		},
		handshake(socket, success) {
			// Without a CA of ours Bun reports that it could not check what nobody asked for.
			if (success && (!needCertificate || socket.authorized)) secured.add(socket);
			else socket.terminate();
		},
		data(socket, bytes) {
			if (secured.has(socket)) socket.data?.receive(bytes);
			else socket.terminate();
		},
	};
}

/** Bun's sockets have their descriptor; its types leave it out. */
function descriptorOf(socket: Socket): number {
	const fd: unknown = "fd" in socket ? socket.fd : undefined;
	return typeof fd === "number" ? fd : -1;
}
