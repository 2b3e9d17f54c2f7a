/**
 * The embedded HTTP server, on Bun's sockets. Bun.serve (1.4.5) bounds neither the
 * number of connections nor the time a head may take: a byte a second kept one open
 * past an idleTimeout of 3 s until 12 s, and node:http, which bounds both, answers
 * nobody else while a slow client fills them. Here a full server drops whoever keeps
 * it waiting longest.
 */

import { errorReply, type Reply } from "../../report/reply.ts";
import { formatListenAddress, hostAllowed, type ListenAddress } from "./address.ts";
import type { ServerTls } from "./certificate.ts";
import { type ConnectionEnds, givesWay } from "./client-key.ts";
import type { Connection, Host } from "./connection.ts";
import { HandshakeBudget } from "./handshake-budget.ts";
import { defaultLimits, type Limits, smallAnswer } from "./limits.ts";
import { isPagePath, openingReply, type PageSessions } from "./page-sessions.ts";
import type { Request } from "./request.ts";
import { type Detail, type HttpSource, route, type StreamRequest } from "./routes.ts";
import { plainHandlers, type SocketUser, tlsHandlers, unixHandlers } from "./sockets.ts";
import { claimSocketPath, releaseSocketPath } from "./unix-socket.ts";

export interface HttpServerOptions {
	readonly address: ListenAddress;
	/** This host's name, one of the Host headers that are answered. */
	readonly hostname: () => string;
	readonly source: HttpSource;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
	/** Called when an answer fails; the client sees only that it did. */
	readonly onError: (error: unknown, path: string) => void;
	/** What clients are told; everything unless it is given. */
	readonly detail?: Detail;
	/** For a TCP address only. */
	readonly tls?: ServerTls | null;
	/** Whether an Authorization header lets its client in. Absent: all are let in. */
	readonly authorize?: (authorization: string | null) => boolean;
	/** Links to the page and who came by one, for a TCP address only; they are let in and told everything. */
	readonly pages?: PageSessions;
	/** Which user of this host has the other end of a TCP connection; null for none. Absent: that is not asked. */
	readonly localUser?: (ends: ConnectionEnds) => number | null;
	/** Whether the peer of a Unix socket's connection, by its descriptor, is let in. Absent: all are. */
	readonly admitPeer?: (fd: number) => boolean;
	readonly limits?: Partial<Limits>;
}

export interface HttpServer {
	/** Where it listens, with the port the kernel chose for port 0. */
	readonly address: ListenAddress;
	connections(): number;
	/** Closes every connection and stops listening. */
	stop(): void;
}

export type ListenResult =
	| { readonly ok: true; readonly server: HttpServer }
	| { readonly ok: false; readonly message: string; readonly hint: string };

/** Characters of an answer that is more than what scrapes ask for. */
const muchText = 4_000_000;

/** Milliseconds between looks at the deadlines. */
const sweepInterval = 250;

class Server implements Host, SocketUser {
	readonly limits: Limits;
	readonly monotonic = () => performance.now();
	readonly now: () => number;
	readonly #options: HttpServerOptions;
	/** In order of arrival. */
	readonly #connections = new Set<Connection>();
	readonly #budget = new HandshakeBudget();
	#timer: ReturnType<typeof setInterval> | null = null;

	constructor(options: HttpServerOptions) {
		this.#options = options;
		this.limits = { ...defaultLimits, ...options.limits };
		this.now = options.now;
	}

	get size(): number {
		return this.#connections.size;
	}

	/** Makes room by dropping the longest-waiting connection of the client that has most; false when there is none. */
	admit(client: string): boolean {
		if (this.#connections.size < this.limits.connections) return true;
		const victim = givesWay([...this.#connections], client, longestWaiting);
		victim?.close();
		return victim !== undefined;
	}

	localUser(ends: ConnectionEnds): number | null {
		return this.#options.localUser?.(ends) ?? null;
	}

	add(connection: Connection): void {
		this.#connections.add(connection);
		this.#timer ??= setInterval(() => this.#sweep(), sweepInterval);
		connection.onClosed = () => this.#remove(connection);
	}

	get budget(): HandshakeBudget {
		return this.#budget;
	}

	closeAll(): void {
		for (const connection of [...this.#connections]) connection.close();
	}

	async answer(request: Request, connection: Connection): Promise<void> {
		const headOnly = request.method === "HEAD";
		try {
			const { pages, source, detail = "full" } = this.#options;
			const known = pages?.knows(request.cookie) ?? false;
			const refusal = this.#refuse(request, connection, known);
			if (refusal !== null) {
				connection.reply(refusal, headOnly, true);
				return;
			}
			if (pages !== undefined && isPagePath(request.path)) {
				connection.reply(openingReply(pages, request, this.#options.tls != null), headOnly, true);
				return;
			}
			const answer = await route(request, source, known ? "full" : detail);
			if (answer.kind === "stream") this.#stream(connection, answer.asked, headOnly);
			else {
				connection.reply(this.#bounded(answer.reply), headOnly, false);
				if (answer.reply.body.length > muchText) source.answeredMuch?.();
			}
		} catch (error) {
			this.#options.onError(error, request.path);
			connection.reply(errorReply(500, "internal error", "the daemon's log says more"), headOnly, true);
		}
	}

	/** @param known a browser that came by a link of root's */
	#refuse(request: Request, connection: Connection, known: boolean): Reply | null {
		const { address, hostname, tls, pages } = this.#options;
		const byLink = known || (pages !== undefined && isPagePath(request.path));
		// A browser adds its cookies to whatever it asks, so that its Host counts as it does without a token.
		const authorize = byLink ? undefined : this.#options.authorize;
		// A token is the client's own: no browser adds it to what a web page asks, so any name will do.
		if (authorize !== undefined && !authorize(request.authorization)) {
			return {
				...errorReply(
					401,
					"a bearer token is needed",
					"send Authorization: Bearer with the token of status.tokenFile",
				),
				headers: { "WWW-Authenticate": 'Bearer realm="portward"' },
			};
		}
		if (authorize !== undefined) this.#budget.authenticated(connection.client, this.monotonic());
		if (request.method !== "GET" && request.method !== "HEAD") {
			return {
				...errorReply(405, "method not allowed", "use GET or HEAD"),
				headers: { Allow: "GET, HEAD" },
			};
		}
		if (request.hasBody) return errorReply(413, "a request body is not accepted", "send none");
		if (authorize === undefined && !hostAllowed(request.host, address, hostname(), tls?.names)) {
			return errorReply(
				421,
				"unknown host",
				"ask by address, as localhost, by this host's name, or by a name of the certificate",
			);
		}
		return null;
	}

	#stream(connection: Connection, asked: StreamRequest, headOnly: boolean): void {
		const streams = [...this.#connections].filter(({ phase }) => phase === "stream");
		if (streams.length >= this.limits.streams && !headOnly) {
			const victim = this.#foreignStream(streams, connection.client);
			if (victim === undefined) {
				connection.reply(errorReply(503, "too many event streams", "close one or try later"), headOnly, true);
				return;
			}
			victim.close();
		}
		connection.beginStream(asked, headOnly);
		if (connection.phase !== "stream") return;
		const unsubscribe = this.#options.source.subscribe((lines) => connection.deliver(lines));
		connection.onClosed = () => {
			unsubscribe();
			this.#remove(connection);
		};
	}

	/** The oldest stream of another client that has more than this one would; undefined when there is none. */
	#foreignStream(streams: readonly Connection[], client: string): Connection | undefined {
		const victim = givesWay(streams, client, (own) => own[0]);
		return victim?.client === client ? undefined : victim;
	}

	#bounded(reply: Reply): Reply {
		if (reply.body.length <= smallAnswer) return reply;
		let outstanding = 0;
		for (const connection of this.#connections) outstanding += connection.outstanding;
		if (outstanding === 0 || outstanding + reply.body.length <= this.limits.outstandingBytes) return reply;
		return errorReply(503, "too many answers are waiting for slow clients", "try again later");
	}

	#remove(connection: Connection): void {
		this.#connections.delete(connection);
		if (this.#connections.size > 0 || this.#timer === null) return;
		clearInterval(this.#timer);
		this.#timer = null;
	}

	#sweep(): void {
		const now = this.monotonic();
		for (const connection of [...this.#connections]) connection.sweep(now);
	}
}

/** Of one client's connections that which has kept the server waiting longest; undefined when all are streams. */
function longestWaiting(own: readonly Connection[]): Connection | undefined {
	return (
		own.find(({ phase }) => phase === "linger" || phase === "head") ??
		own.find(({ phase }) => phase !== "stream")
	);
}

function listenError(error: unknown, address: ListenAddress): ListenResult {
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	const where = formatListenAddress(address);
	if (code === "EADDRINUSE") {
		return {
			ok: false,
			message: `${where} is in use`,
			hint: "stop the other process, or set status.address to another address",
		};
	}
	const text = error instanceof Error ? error.message : String(error);
	return {
		ok: false,
		message: `cannot listen on ${where}: ${text}`,
		hint: "set status.address to an address of this host",
	};
}

/** BoringSSL as Bun (1.4.5) sets it up speaks TLS 1.2 and 1.3 alone. Only the one CA vouches for clients. */
function bunTls({ cert, key, clientCa }: ServerTls): Bun.TLSOptions {
	if (clientCa === null) return { cert, key };
	return { cert, key, ca: clientCa, requestCert: true, rejectUnauthorized: true };
}

/** Begins to listen, or says why it cannot. A unix socket is created with mode 0600. */
export async function startHttpServer(options: HttpServerOptions): Promise<ListenResult> {
	const server = new Server(options);
	const { address, tls = null, admitPeer = () => true } = options;
	if (address.kind === "tcp") {
		const socket =
			tls === null
				? plainHandlers(server)
				: tlsHandlers(server, bunTls(tls), tls.clientCa !== null, server.budget);
		try {
			const listener = Bun.listen({
				hostname: address.host,
				port: address.port,
				socket,
				allowHalfOpen: true,
				data: undefined,
			});
			return started(server, { ...address, port: listener.port }, () => listener.stop(true));
		} catch (error) {
			return listenError(error, address);
		}
	}
	let claim: Awaited<ReturnType<typeof claimSocketPath>>;
	try {
		claim = await claimSocketPath(address.path);
	} catch (error) {
		return listenError(error, address);
	}
	if (!claim.ok) return claim;
	// bind(2) applies the umask, so the socket is never open to others, not even for a moment.
	const umask = process.umask(0o177);
	let listener: Bun.UnixSocketListener<Connection | undefined> | null = null;
	try {
		const bound = Bun.listen({
			unix: claim.temporary,
			socket: unixHandlers(server, admitPeer),
			allowHalfOpen: true,
			data: undefined,
		});
		listener = bound;
		const file = claim.publish();
		return started(server, address, () => {
			if (file !== null) releaseSocketPath(file);
			bound.stop(true);
		});
	} catch (error) {
		listener?.stop(true);
		return listenError(error, address);
	} finally {
		process.umask(umask);
	}
}

function started(server: Server, address: ListenAddress, stopListening: () => void): ListenResult {
	return {
		ok: true,
		server: {
			address,
			connections: () => server.size,
			stop() {
				stopListening();
				server.closeAll();
			},
		},
	};
}
