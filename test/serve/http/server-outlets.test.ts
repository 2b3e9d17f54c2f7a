/** What the server does over time and on its addresses: the stream of alerts, and listening. */

import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startHttpServer } from "../../../src/serve/http/server.ts";
import { sampleAlert, sampleSource } from "../../report/sample.ts";
import { connect, eachServed, exchange, get, serve, statusOf, until } from "./wire.ts";

// Conditions are waited for with deadlines of their own, which a busy machine may need.
setDefaultTimeout(180_000);

const start = eachServed();

const directories: string[] = [];

function directory(): string {
	const path = mkdtempSync(join(tmpdir(), "portward-http-"));
	directories.push(path);
	return path;
}

afterEach(() => {
	for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

describe("the stream", () => {
	test("sends alerts as they come, filtered, with heartbeats, and forgets who leaves", async () => {
		const { source, sink } = sampleSource();
		const { server } = await start(source, { heartbeatTime: 300 });
		const socket = connect(server.address);
		let text = "";
		socket.on("data", (data) => {
			text += data.toString();
		});
		socket.on("connect", () =>
			socket.write("GET /v1/alerts/stream?action=Block HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		);
		await until(() => text.includes(": connected"));
		expect(text).toContain("Content-Type: text/event-stream");
		sink.publish([sampleAlert({ Message: "audited" }), sampleAlert({ Message: "blocked", Action: "Block" })]);
		await until(() => text.includes("blocked"));
		expect(text).not.toContain("audited");
		const event = text.split("\n\n").find((part) => part.startsWith("data: ")) ?? "";
		expect(JSON.parse(event.slice(6)).Action).toBe("Block");
		await until(() => text.includes(": heartbeat"));
		socket.destroy();
		await until(() => server.connections() === 0);
		sink.publish([sampleAlert({ Action: "Block" })]);
		expect(sink.dropped().stream).toBe(0);
	});

	test("sends the page's rows to who asks for sentences, and knows no third form", async () => {
		const { source, sink } = sampleSource();
		const { server } = await start(source);
		const socket = connect(server.address);
		let text = "";
		socket.on("data", (data) => {
			text += data.toString();
		});
		socket.on("connect", () =>
			socket.write("GET /v1/alerts/stream?as=sentence&policy=p HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		);
		await until(() => text.includes(": connected"));
		sink.publish([sampleAlert(), sampleAlert({ PolicyName: "p", Action: "Block" })]);
		await until(() => text.includes("data: "));
		const event = text.split("\n\n").find((part) => part.startsWith("data: ")) ?? "";
		expect(JSON.parse(event.slice(6))).toEqual({
			time: "2026-02-23 04:31:35.104",
			action: "Block",
			sentence: "192.0.2.7 → what cannot be read: blocked by p",
			note: "m",
		});
		socket.destroy();
		expect(statusOf(await get(server.address, "/v1/alerts/stream?as=poem"))).toBe(400);
		expect(statusOf(await get(server.address, "/v1/alerts/stream?form=sentence"))).toBe(400);
	});

	test("a client that stops reading loses alerts, which are counted, and is closed", async () => {
		const { source, sink } = sampleSource();
		const { server } = await start(source, { stallTime: 800, streamBytes: 500_000 });
		const socket = connect(server.address);
		socket.on("connect", () => {
			socket.write("GET /v1/alerts/stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
			socket.pause();
		});
		await until(() => server.connections() === 1);
		// The kernel takes some megabytes before the stream stalls.
		const batch = Array.from({ length: 100 }, () => sampleAlert({ Message: "y".repeat(1000) }));
		await until(() => {
			sink.publish(batch);
			return server.connections() === 0;
		});
		expect(sink.dropped().stream).toBeGreaterThan(0);
		socket.destroy();
	});

	test("is bounded in number, and streams do not shut out requests", async () => {
		const { server } = await start(undefined, { streams: 2, connections: 3 });
		const streams = Array.from({ length: 2 }, () => {
			const socket = connect(server.address);
			socket.resume();
			socket.on("connect", () => socket.write("GET /v1/alerts/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"));
			return socket;
		});
		await until(() => server.connections() === 2);
		expect(statusOf(await get(server.address, "/v1/alerts/stream"))).toBe(503);
		expect(statusOf(await get(server.address, "/healthz"))).toBe(200);
		for (const socket of streams) socket.destroy();
	});
});

describe("listening", () => {
	test("a unix socket has mode 0600, takes any Host, and goes with the server", async () => {
		const path = join(directory(), "s.sock");
		const { server } = await start(undefined, {}, { kind: "unix", path });
		expect(lstatSync(path).mode & 0o777).toBe(0o600);
		const response = await exchange(
			server.address,
			"GET /healthz HTTP/1.1\r\nHost: anything at all\r\nConnection: close\r\n\r\n",
		);
		expect(statusOf(response)).toBe(200);
		server.stop();
		expect(readdirSync(dirname(path))).toEqual([]);
	});

	test("stopping leaves a file alone that took the socket's place", async () => {
		const path = join(directory(), "s.sock");
		const { server } = await start(undefined, {}, { kind: "unix", path });
		rmSync(path);
		writeFileSync(path, "precious");
		server.stop();
		expect(readFileSync(path, "utf8")).toBe("precious");
	});

	test("a dead process's socket is replaced; a live one, or another file, is refused and left alone", async () => {
		const path = join(directory(), "s.sock");
		const dead = Bun.spawn([
			"python3",
			"-c",
			"import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
			path,
		]);
		await dead.exited;
		const { server } = await start(undefined, {}, { kind: "unix", path });
		await expect(serve(undefined, {}, { kind: "unix", path })).rejects.toThrow("another process listens");
		expect(statusOf(await get(server.address, "/healthz"))).toBe(200);
		const file = join(directory(), "file");
		writeFileSync(file, "precious");
		chmodSync(file, 0o600);
		await expect(serve(undefined, {}, { kind: "unix", path: file })).rejects.toThrow("not a socket");
		expect(readFileSync(file, "utf8")).toBe("precious");
	});

	test("a port in use and an address of another host are explained", async () => {
		const { server } = await start();
		const options = { hostname: () => "h", source: sampleSource().source, now: () => 0, onError: () => {} };
		expect(await startHttpServer({ ...options, address: server.address })).toMatchObject({
			ok: false,
			message: expect.stringContaining("in use"),
		});
		expect(
			await startHttpServer({ ...options, address: { kind: "tcp", host: "192.0.2.1", port: 0 } }),
		).toMatchObject({
			ok: false,
			message: expect.stringContaining("cannot listen on 192.0.2.1:0"),
		});
	});

	test("IPv6", async () => {
		const { server } = await start(undefined, {}, { kind: "tcp", host: "::1", port: 0 });
		const response = await exchange(
			server.address,
			"GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
		);
		expect(statusOf(response)).toBe(200);
	});
});
