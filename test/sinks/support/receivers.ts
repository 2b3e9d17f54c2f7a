/** Receivers that the tests of sinks open for themselves. */

import { createServer as createTcp, type Server, type Socket } from "node:net";
import { createServer as createTls, type TlsOptions } from "node:tls";

/** Messages of octet counting (RFC 6587), and what is left of the last one. */
export function counted(data: Buffer): { readonly messages: readonly string[]; readonly rest: Buffer } {
	const messages: string[] = [];
	let rest = data;
	for (;;) {
		const space = rest.indexOf(0x20);
		const length = space < 0 ? Number.NaN : Number(rest.toString("latin1", 0, space));
		if (Number.isNaN(length) || rest.length < space + 1 + length) return { messages, rest };
		messages.push(rest.toString("utf8", space + 1, space + 1 + length));
		rest = rest.subarray(space + 1 + length);
	}
}

/** A server of octet-counted syslog. */
export class SyslogServer implements AsyncDisposable {
	readonly messages: string[] = [];
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	readonly #reads: boolean;

	private constructor(tls: TlsOptions | null, reads: boolean) {
		this.#reads = reads;
		const take = (socket: Socket) => this.#take(socket);
		this.#server = tls === null ? createTcp({ pauseOnConnect: !reads }, take) : createTls(tls, take);
	}

	/** @param reads false: it takes connections and reads nothing */
	static async open(tls: TlsOptions | null = null, port = 0, reads = true): Promise<SyslogServer> {
		const server = new SyslogServer(tls, reads);
		await new Promise<void>((resolve, reject) => {
			server.#server.once("error", reject);
			server.#server.listen(port, "127.0.0.1", resolve);
		});
		return server;
	}

	get port(): number {
		const address = this.#server.address();
		return typeof address === "object" && address !== null ? address.port : 0;
	}

	/** Ends all connections, and goes on listening. */
	hangUp(): void {
		for (const socket of this.#sockets) socket.destroy();
	}

	#take(socket: Socket): void {
		this.#sockets.add(socket);
		socket.on("error", () => {});
		socket.on("close", () => this.#sockets.delete(socket));
		if (!this.#reads) return;
		let rest: Buffer = Buffer.alloc(0);
		socket.on("data", (data) => {
			const read = counted(Buffer.concat([rest, Buffer.from(data)]));
			this.messages.push(...read.messages);
			rest = read.rest;
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.hangUp();
		await new Promise<void>((resolve) => this.#server.close(() => resolve()));
	}
}

/** Waits until `fits` says so. @throws Error after a minute */
export async function until(fits: () => boolean, what = "it"): Promise<void> {
	const end = performance.now() + 50_000;
	while (!fits()) {
		if (performance.now() > end) throw new Error(`${what} did not come about`);
		await Bun.sleep(5);
	}
}
