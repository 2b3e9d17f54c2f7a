/** KubeArmor's log service against Debian's gRPC for Python, and against clients that mean it ill. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChannelCredentials, Client as GrpcClient, Metadata } from "@grpc/grpc-js";
import type { KubearmorApiSettings } from "../../../src/config/kubearmor-api.ts";
import { LogServer, type LogServerLimits } from "../../../src/serve/grpc/log-server.ts";
import { Certificates } from "../../support/certificates.ts";
import { eventually } from "../../system/support/netns.ts";
import { ask, Client, type ClientTls, clientCommand } from "./support/client.ts";
import { attack, attacks } from "./support/frames.ts";
import { freePort, messages, names, publish } from "./support/published.ts";

let directory: string;
const servers: LogServer[] = [];
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-grpc."));
});
afterEach(() => {
	for (const server of servers.splice(0)) server.close();
	rmSync(directory, { recursive: true, force: true });
});

type Written = Partial<KubearmorApiSettings> & { readonly address: string };
const settings = (written: Written) => ({ healthAddress: null, tls: null, ...written });

async function served(written: Written, limits: Partial<LogServerLimits> = {}): Promise<LogServer> {
	const server = new LogServer(() => {}, false, limits);
	servers.push(server);
	await server.configure(settings(written));
	return server;
}

const local = () => `127.0.0.1:${freePort()}`;
const all = '{"Filter":"all"}';

/** A client that watches, and is known to. */
async function watching(server: LogServer, target: string, count: number, filter = all): Promise<Client> {
	const before = server.hub.counts.subscribers.alerts;
	const client = new Client(clientCommand(target, ["watch", "WatchAlerts", filter, String(count)]));
	await eventually("a subscriber", () => server.hub.counts.subscribers.alerts > before);
	return client;
}

test("HealthCheck gives back the nonce, and alerts arrive in their order", async () => {
	const address = local();
	const server = await served({ address });
	expect(server.report).toMatchObject({ state: "serving", error: "" });
	expect(await ask(address, ["call", "HealthCheck", '{"nonce":-5}'])).toEqual({ Retval: -5 });
	using client = await watching(server, address, 300, '{"Filter":"policy"}');
	publish(server, 0, 300);
	expect(messages(await client.take(300))).toEqual(names(0, 300));
	await eventually("the end", () => server.hub.counts.subscribers.alerts === 0);
	expect(server.report.sent.alerts).toBe(300);
});

test("other filters end the stream well; messages flow with any", async () => {
	const address = local();
	const server = await served({ address });
	for (const [method, filter] of [
		["WatchAlerts", "system"],
		["WatchAlerts", ""],
		["WatchLogs", "policy"],
	] as const)
		expect(await ask(address, ["watch", method, JSON.stringify({ Filter: filter }), "0"])).toEqual({
			code: "OK",
		});
	using client = new Client(clientCommand(address, ["watch", "WatchMessages", "{}", "1"]));
	using logs = new Client(clientCommand(address, ["watch", "WatchLogs", '{"Filter":"system"}', "1"]));
	await eventually("both", () => server.hub.isWatched("messages") && server.hub.isWatched("logs"));
	server.close();
	expect([await client.next(), await logs.next()]).toEqual([
		{ code: "UNAVAILABLE" },
		{ code: "UNAVAILABLE" },
	]);
});

test("grpc.health.v1 on both addresses, and the log service on one", async () => {
	const [address, healthAddress] = [local(), local()];
	await served({ address, healthAddress });
	for (const target of [address, healthAddress]) {
		expect(await ask(target, ["call", "Check", "{}"])).toEqual({ status: 1 });
		expect(await ask(target, ["call", "Check", '{"service":"feeder.LogService"}'])).toEqual({ status: 1 });
		expect(await ask(target, ["call", "Check", '{"service":"x"}'])).toMatchObject({ code: "NOT_FOUND" });
		expect(await ask(target, ["watch", "Watch", '{"service":"x"}', "1"])).toEqual({ status: 3 });
	}
	expect(await ask(healthAddress, ["call", "HealthCheck", "{}"])).toMatchObject({ code: "UNIMPLEMENTED" });
});

test("a unix socket is root's alone, replaces a dead one, and goes with the server", async () => {
	const path = join(directory, "api.sock");
	await (await served({ address: `unix:${path}` })).configure(settings({ address: `unix:${path}` }));
	expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
	expect(await ask(`unix:${path}`, ["call", "HealthCheck", '{"nonce":7}'])).toEqual({ Retval: 7 });
	const second = await served({ address: `unix:${path}` });
	expect(second.report).toMatchObject({
		state: "failing",
		error: expect.stringContaining("another process"),
	});
	for (const server of servers.splice(0)) server.close();
	expect(existsSync(path)).toBe(false);
});

test("an address that is taken is tried again", async () => {
	const address = local();
	const first = await served({ address });
	const second = await served({ address }, { retry: 50 });
	expect(second.report.state).toBe("failing");
	expect(second.report.error).toContain(address);
	first.close();
	await eventually("the address", () => second.report.state === "serving");
	expect(await ask(address, ["call", "HealthCheck", '{"nonce":1}'])).toEqual({ Retval: 1 });
});

describe("TLS", () => {
	test("who shows a certificate of the CA is let in, and nobody else; new files count without a gap", async () => {
		using made = new Certificates();
		const [ca, strangers] = [made.selfSigned("ca"), made.selfSigned("strangers")];
		const [server1, server2] = [made.signed("localhost", ca), made.signed("other", ca, "DNS:localhost")];
		const [client, stranger] = [made.signed("client", ca), made.signed("stranger", strangers)];
		const files = { cert: join(directory, "cert"), key: join(directory, "key"), clientCa: ca.cert };
		const put = ({ cert, key }: { cert: string; key: string }) => {
			copyFileSync(cert, files.cert);
			copyFileSync(key, files.key);
		};
		put(server1);
		const port = freePort();
		const written = { address: `127.0.0.1:${port}`, tls: files };
		const server = await served(written, { log: { connections: 4, handshake: 300, linger: 100 } });
		const target = `localhost:${port}`;
		const good = { ca: ca.cert, ...client };
		expect(await ask(target, ["call", "HealthCheck", '{"nonce":3}'], good)).toEqual({ Retval: 3 });
		for (const bad of [
			{ ca: ca.cert, ...stranger },
			{ ca: ca.cert, cert: "-", key: "-" },
		])
			expect(await ask(target, ["call", "HealthCheck", "{}"], bad)).toMatchObject({ code: "UNAVAILABLE" });
		expect(await ask(target, ["call", "HealthCheck", "{}"])).toMatchObject({ code: "UNAVAILABLE" });
		const { errors } = server.report;
		expect(errors).toBeGreaterThan(0);
		// Who says nothing is gone after the time of a handshake.
		const silent = connect(port, "127.0.0.1");
		await eventually("the silent one is gone", () => silent.closed || silent.destroyed);
		using watcher = new Client(clientCommand(target, ["watch", "WatchAlerts", all, "1"], good));
		await eventually("a watcher", () => server.hub.isWatched("alerts"));
		put(server2);
		await server.configure(settings(written));
		expect(server.report).toMatchObject({ state: "serving", error: "" });
		expect(await ask(target, ["call", "HealthCheck", '{"nonce":4}'], good)).toEqual({ Retval: 4 });
		// A key that does not fit changes nothing.
		copyFileSync(client.key, files.key);
		await server.configure(settings(written));
		expect(server.report).toMatchObject({
			state: "serving",
			error: expect.stringContaining("kubearmorApi.tls.key"),
		});
		expect(await ask(target, ["call", "HealthCheck", '{"nonce":5}'], good)).toEqual({ Retval: 5 });
		publish(server, 0, 1);
		expect(messages(await watcher.take(1))).toEqual(names(0, 1));
	});

	test("another CA ends the connections that the one before it let in; when certificates end is told", async () => {
		using made = new Certificates();
		const ca = made.selfSigned("ca");
		const clientCa = join(directory, "ca");
		copyFileSync(ca.cert, clientCa);
		const port = freePort();
		const written = { address: `127.0.0.1:${port}`, tls: { ...made.signed("localhost", ca), clientCa } };
		const server = await served(written);
		expect(server.certificates).toEqual([
			{ name: "kubearmor-api", expires: expect.any(Number) },
			{ name: "kubearmor-api-client-ca", expires: expect.any(Number) },
		]);
		const client = { ca: ca.cert, ...made.signed("client", ca) };
		using _ = new Client(clientCommand(`localhost:${port}`, ["watch", "WatchAlerts", all, "1"], client));
		await eventually("a watcher", () => server.hub.isWatched("alerts"));
		copyFileSync(made.selfSigned("another").cert, clientCa);
		await server.configure(settings(written));
		await eventually("nobody watches", () => !server.hub.isWatched("alerts"));
		expect(server.report.state).toBe("serving");
	});

	test("files that cannot be used are told, and tried again", async () => {
		using made = new Certificates();
		const pem = made.selfSigned("localhost");
		chmodSync(pem.key, 0o600);
		const missing = join(directory, "missing");
		const tls = { cert: missing, key: pem.key, clientCa: null };
		const server = await served({ address: local(), tls }, { retry: 50 });
		expect(server.report).toMatchObject({ state: "failing", error: expect.stringContaining(missing) });
		copyFileSync(pem.cert, missing);
		await eventually("the file", () => server.report.state === "serving");
	});

	test("files that are good by now are taken at once where somebody says so", async () => {
		using made = new Certificates();
		const pem = made.selfSigned("localhost");
		chmodSync(pem.key, 0o600);
		const missing = join(directory, "missing");
		const written = { address: local(), tls: { cert: missing, key: pem.key, clientCa: null } };
		const server = await served(written);
		await server.configure(settings(written));
		expect(server.report).toMatchObject({ state: "failing", error: expect.not.stringContaining("kept") });
		copyFileSync(pem.cert, missing);
		await server.configure(settings(written));
		expect(server.report).toMatchObject({ state: "serving", error: "" });
	});
});

test("100 slow clients keep what they may, and one that reads misses nothing", async () => {
	const address = local();
	const server = await served({ address });
	using slow = new Client(clientCommand(address, ["many", "WatchAlerts", all, "100"]));
	expect(await slow.next()).toEqual({ begun: 100 });
	using quick = await watching(server, address, 5000);
	for (let sent = 0; sent < 5000; sent += 500) {
		publish(server, sent, 500);
		expect(messages(await quick.take(500))).toEqual(names(sent, 500));
	}
	const { sent, dropped } = server.report;
	// Every message was sent, or waits, or was counted as dropped.
	expect(sent.alerts + dropped.slow).toBeWithin(100 * 4000, 101 * 5000 + 1);
	expect(dropped.slow).toBeGreaterThan(100 * 1000);
	// They can still read what waits for them.
	slow.write("read 1000\n");
	expect(await slow.next()).toEqual({ read: 100_000 });
	await eventually("the queues are empty", () => server.report.sent.alerts + dropped.slow === 101 * 5000);
});

describe("connections are bounded: who does nothing gives way, who watches stays", () => {
	async function crowded(
		server: LogServer,
		target: string,
		come: () => Socket,
		tls: ClientTls | null = null,
	) {
		using watcher = new Client(clientCommand(target, ["watch", "WatchAlerts", all, "1"], tls));
		await eventually("a watcher", () => server.hub.isWatched("alerts"));
		const idle: Socket[] = [];
		for (let index = 0; index < 6; index++) {
			const socket = come();
			socket.on("error", () => {});
			socket.resume();
			idle.push(socket);
			await eventually("connected", () => socket.readyState === "open" || socket.destroyed);
		}
		await eventually(
			"room was made",
			() => idle.filter((socket) => socket.destroyed || socket.closed).length >= 4,
		);
		expect(server.report.connections).toBeLessThanOrEqual(3);
		expect(await ask(target, ["call", "HealthCheck", '{"nonce":2}'], tls)).toEqual({ Retval: 2 });
		publish(server, 0, 1);
		expect(messages(await watcher.take(1))).toEqual(names(0, 1));
		for (const socket of idle) socket.destroy();
	}
	const log = { connections: 3, handshake: 60_000, linger: 100 };

	test("over TCP", async () => {
		const port = freePort();
		const address = `127.0.0.1:${port}`;
		await crowded(await served({ address }, { log }), address, () => connect(port, "127.0.0.1"));
	});

	test("on a unix socket", async () => {
		const path = join(directory, "api.sock");
		await crowded(await served({ address: `unix:${path}` }, { log }), `unix:${path}`, () => connect(path));
	});

	test("with TLS", async () => {
		using made = new Certificates();
		const ca = made.selfSigned("ca");
		const tls = { ...made.signed("localhost", ca), clientCa: ca.cert };
		const port = freePort();
		const server = await served({ address: `127.0.0.1:${port}`, tls }, { log });
		const client = { ca: ca.cert, ...made.signed("client", ca) };
		await crowded(server, `localhost:${port}`, () => connect(port, "127.0.0.1"), client);
	});
});

test("a stream begins without what the client sent", async () => {
	const address = local();
	await served({ address });
	const client = new GrpcClient(address, ChannelCredentials.createInsecure());
	const sent = new Metadata();
	sent.set("x-own", "of the client");
	const same = (bytes: Buffer) => bytes;
	const call = client.makeServerStreamRequest(
		"/feeder.LogService/WatchAlerts",
		same,
		same,
		Buffer.from("\n\u0003all"),
		sent,
	);
	call.on("error", () => {});
	const { promise, resolve } = Promise.withResolvers<Metadata>();
	call.on("metadata", resolve);
	expect((await promise).get("x-own")).toEqual([]);
	call.cancel();
	client.close();
});

test("a connection without a call ends", async () => {
	const address = local();
	const server = await served({ address }, { idle: 300 });
	const socket = connect(Number(address.split(":")[1]), "127.0.0.1").pause();
	socket.on("error", () => {});
	await eventually("a connection", () => server.report.connections === 1);
	// It does not even take notice that it is asked to go.
	await eventually("its end", () => server.report.connections === 0);
	socket.destroy();
});

test("malformed HTTP/2 costs whoever sends it the connection, and nobody else anything", async () => {
	const address = local();
	const server = await served({ address });
	using watcher = await watching(server, address, attacks.length);
	for (const [index, [, act]] of attacks.entries()) {
		await attack(Number(address.split(":")[1]), act);
		publish(server, index, 1);
		expect(messages(await watcher.take(1))).toEqual(names(index, 1));
	}
	await eventually("none of them stays", () => server.report.connections <= 1);
	expect(server.report.errors).toBeGreaterThan(0);
	expect(await ask(address, ["call", "HealthCheck", '{"nonce":2}'])).toEqual({ Retval: 2 });
});

test("other settings move it, and other addresses than before answer no more", async () => {
	const [first, second] = [local(), local()];
	const server = await served({ address: first });
	await server.configure(settings({ address: second }));
	expect(await ask(second, ["call", "HealthCheck", '{"nonce":9}'])).toEqual({ Retval: 9 });
	expect(await ask(first, ["call", "HealthCheck", "{}"])).toMatchObject({ code: "UNAVAILABLE" });
});
