/** A raw HTTP client for tests: bytes out, bytes in, nothing helpful in between. */

import { afterEach } from "bun:test";
import net from "node:net";
import { formatListenAddress, type ListenAddress } from "../../../src/serve/http/address.ts";
import type { Limits } from "../../../src/serve/http/limits.ts";
import type { HttpSource } from "../../../src/serve/http/routes.ts";
import { type HttpServer, type HttpServerOptions, startHttpServer } from "../../../src/serve/http/server.ts";
import { sampleSource } from "../../report/sample.ts";

export interface TestServer {
	readonly server: HttpServer;
	readonly errors: unknown[];
}

export async function serve(
	source: HttpSource = sampleSource().source,
	limits: Partial<Limits> = {},
	address: ListenAddress = { kind: "tcp", host: "127.0.0.1", port: 0 },
	access: Pick<HttpServerOptions, "detail" | "tls" | "authorize" | "admitPeer" | "pages"> = {},
): Promise<TestServer> {
	const errors: unknown[] = [];
	const result = await startHttpServer({
		address,
		hostname: () => "vm1.example",
		source,
		now: () => 0,
		onError: (error) => errors.push(error),
		limits,
		...access,
	});
	if (!result.ok) throw new Error(`${result.message}: ${result.hint}`);
	return { server: result.server, errors };
}

/** Servers that stop after each test of the calling file. */
export function eachServed(): typeof serve {
	const running: HttpServer[] = [];
	afterEach(() => {
		for (const server of running.splice(0)) server.stop();
	});
	return async (...args) => {
		const started = await serve(...args);
		running.push(started.server);
		return started;
	};
}

export function connect(address: ListenAddress): net.Socket {
	const socket =
		address.kind === "unix" ? net.connect(address.path) : net.connect(address.port, address.host);
	socket.on("error", () => {});
	return socket;
}

/** Sends `request` and returns all that comes back until the server closes. */
export function exchange(address: ListenAddress, request: string | Uint8Array): Promise<string> {
	const { promise, resolve } = Promise.withResolvers<string>();
	const socket = connect(address);
	let text = "";
	socket.on("data", (data) => {
		text += data.toString("latin1");
	});
	socket.on("close", () => resolve(text));
	socket.on("connect", () => socket.write(request));
	return promise;
}

export function get(address: ListenAddress, path: string, headers = ""): Promise<string> {
	return exchange(address, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`);
}

export function url(server: HttpServer, path: string): string {
	return `http://${formatListenAddress(server.address)}${path}`;
}

export function statusOf(response: string): number {
	return Number(response.split(" ")[1]);
}

/** Polls until `condition` holds; fails after `deadline` milliseconds. */
export async function until(condition: () => boolean, deadline = 60_000): Promise<void> {
	const end = performance.now() + deadline;
	while (!condition()) {
		if (performance.now() > end) throw new Error("the condition did not come true in time");
		await Bun.sleep(10);
	}
}
