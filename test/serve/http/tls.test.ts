/** The server under TLS, asked by curl and openssl. */

import { afterAll, afterEach, expect, setDefaultTimeout, test } from "bun:test";
import net from "node:net";
import { AlertRing } from "../../../src/report/sinks/alert-ring.ts";
import { Bearer } from "../../../src/serve/http/bearer.ts";
import { readServerTls, type ServerTls } from "../../../src/serve/http/certificate.ts";
import type { HttpServer, HttpServerOptions } from "../../../src/serve/http/server.ts";
import { sampleAlert, sampleSource } from "../../report/sample.ts";
import { Certificates, type Pem, readPem } from "../../support/certificates.ts";
import { serve, until } from "./wire.ts";

setDefaultTimeout(180_000);

const files = new Certificates();
const ca = files.selfSigned("ca.example");
const strangeCa = files.selfSigned("strange.example");
const own = files.signed("guard.example", ca, "DNS:guard.example,IP:127.0.0.1");
const friend = files.signed("friend.example", ca);
const stranger = files.signed("stranger.example", strangeCa);

const running: HttpServer[] = [];
afterEach(() => {
	for (const server of running.splice(0)) server.stop();
});
afterAll(() => files[Symbol.dispose]());

function tlsOf(pem: Pem, clientCa: Pem | null): ServerTls {
	const { cert, key } = readPem(pem);
	const read = readServerTls(cert, key, clientCa === null ? null : readPem(clientCa).cert);
	if (!read.ok) throw new Error(read.message);
	return read.tls;
}

async function start(
	clientCa: Pem | null,
	access: Pick<HttpServerOptions, "detail" | "authorize"> = {},
	limits: Parameters<typeof serve>[1] = {},
	source = sampleSource().source,
): Promise<{ server: HttpServer; port: number }> {
	const address = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
	const { server } = await serve(source, limits, address, { ...access, tls: tlsOf(own, clientCa) });
	running.push(server);
	if (server.address.kind !== "tcp") throw new Error("not on TCP");
	return { server, port: server.address.port };
}

interface Ran {
	readonly code: number;
	readonly out: string;
	readonly error: string;
}

/** In the background: the server is in this process. */
async function run(argv: readonly string[], input = ""): Promise<Ran> {
	const child = Bun.spawn([...argv], {
		stdin: Buffer.from(input),
		stdout: "pipe",
		stderr: "pipe",
	});
	const [out, error, code] = await Promise.all([
		new Response(child.stdout).text(),
		new Response(child.stderr).text(),
		child.exited,
	]);
	return { code, out, error };
}

const curl = (port: number, path: string, ...more: string[]) =>
	run([
		"curl",
		"--silent",
		"--show-error",
		"--max-time",
		"10",
		"--cacert",
		ca.cert,
		...more,
		`https://127.0.0.1:${port}${path}`,
	]);

const client = (port: number, ...more: string[]) =>
	run([
		"openssl",
		"s_client",
		"-connect",
		`127.0.0.1:${port}`,
		"-CAfile",
		ca.cert,
		"-verify_return_error",
		...more,
	]);

test("curl that trusts the certificate gets the answer, one that does not gets none", async () => {
	const { port } = await start(null);
	expect(await curl(port, "/healthz")).toMatchObject({ code: 0, out: "ok\n" });
	const distrusting = await run([
		"curl",
		"--silent",
		"--cacert",
		strangeCa.cert,
		`https://127.0.0.1:${port}/healthz`,
	]);
	expect(distrusting).toMatchObject({ code: 60, out: "" });
	// Nothing is said to who speaks no TLS.
	expect((await run(["curl", "--silent", `http://127.0.0.1:${port}/healthz`])).out).toBe("");
});

test("TLS 1.2 and 1.3 are spoken, older ones and their ciphers are not", async () => {
	const { port } = await start(null);
	for (const version of ["-tls1_2", "-tls1_3"]) {
		const { code, out } = await client(port, version);
		expect(code).toBe(0);
		expect(out).toContain("Verify return code: 0 (ok)");
	}
	for (const version of ["-tls1", "-tls1_1"]) {
		expect((await client(port, version, "-cipher", "ALL:@SECLEVEL=0")).code).not.toBe(0);
	}
	for (const cipher of ["RC4", "3DES", "aNULL", "eNULL"]) {
		expect((await client(port, "-tls1_2", "-cipher", `${cipher}:@SECLEVEL=0`)).code).not.toBe(0);
	}
});

test("with a client CA only a certificate of it lets a client in", async () => {
	const { port } = await start(ca);
	const show = (pem: Pem) => ["--cert", pem.cert, "--key", pem.key];
	expect(await curl(port, "/healthz", ...show(friend))).toMatchObject({ code: 0, out: "ok\n" });
	for (const shown of [[], show(stranger), show(strangeCa)]) {
		const { code, out } = await curl(port, "/healthz", ...shown);
		expect(out).toBe("");
		expect(code).not.toBe(0);
	}
	for (const version of ["--tlsv1.2", "--tlsv1.3"]) {
		expect(
			(await curl(port, "/healthz", version, "--tls-max", version.slice(-3), ...show(stranger))).out,
		).toBe("");
		expect((await curl(port, "/healthz", version, "--tls-max", version.slice(-3), ...show(friend))).out).toBe(
			"ok\n",
		);
	}
});

test.each(["-tls1_2", "-tls1_3"])(
	"openssl s_client %s hears the answer with a certificate of the client CA alone",
	async (version) => {
		const { port } = await start(ca);
		const request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
		const connect = ["openssl", "s_client", "-connect", `127.0.0.1:${port}`, version, "-quiet"];
		const show = (pem: Pem) => ["-cert", pem.cert, "-key", pem.key];
		expect((await run([...connect, ...show(friend)], request)).out).toContain("HTTP/1.1 200 OK");
		for (const shown of [[], show(stranger), show(strangeCa)]) {
			expect((await run([...connect, ...shown], request)).out).toBe("");
		}
	},
);

test("a token is asked for under TLS too, and a stranger's name answered with it alone", async () => {
	const parsed = Bearer.parse("t".repeat(32));
	if (!parsed.ok) throw new Error(parsed.message);
	const { port } = await start(null, { authorize: (header) => parsed.bearer.accepts(header) });
	const without = await curl(port, "/metrics", "--include");
	expect(without.out).toContain("HTTP/1.1 401 Unauthorized");
	expect(without.out).toContain('WWW-Authenticate: Bearer realm="portward"');
	expect(without.out).not.toContain("portward_");
	const header = ["--header", `Authorization: Bearer ${"t".repeat(32)}`];
	expect((await curl(port, "/metrics", ...header)).out).toContain("portward_");
	const renamed = ["--header", "Host: monitoring.example"];
	expect((await curl(port, "/healthz", ...header, ...renamed)).out).toBe("ok\n");
	expect((await curl(port, "/healthz", ...renamed)).out).toContain("a bearer token is needed");
});

test("without a token the Host is this host's name, its address or a name of the certificate", async () => {
	const { port } = await start(null);
	const ask = async (host: string) => (await curl(port, "/healthz", "--header", `Host: ${host}`)).out;
	for (const host of ["guard.example", "vm1.example", "localhost", `127.0.0.1:${port}`]) {
		expect(await ask(host)).toBe("ok\n");
	}
	expect(await ask("evil.example")).toContain("unknown host");
});

test("a large answer arrives whole, also at a client that reads slowly", async () => {
	const alerts = new AlertRing(10_000);
	for (let index = 0; index < 10_000; index++) {
		const json = JSON.stringify(sampleAlert({ Message: `m${index}` }));
		alerts.add({ policy: "np1", action: "Audit", json });
	}
	const { port } = await start(null, {}, {}, { ...sampleSource().source, alerts });
	const whole = await curl(port, "/v1/alerts?limit=10000");
	expect(whole.out.length).toBeGreaterThan(2_000_000);
	const slow = await curl(port, "/v1/alerts?limit=10000", "--limit-rate", "2M");
	expect(slow.out === whole.out).toBe(true);
	expect(JSON.parse(whole.out).alerts).toHaveLength(10_000);
});

test("hundreds of handshakes that never end are dropped, and the rest of the world is served", async () => {
	const { server, port } = await start(null, {}, { connections: 16, headTime: 1000, lingerTime: 100 });
	const sockets: net.Socket[] = [];
	for (let index = 0; index < 300; index++) {
		const socket = net.connect(port, "127.0.0.1");
		socket.on("error", () => {});
		// The beginning of a ClientHello.
		socket.on("connect", () => socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1])));
		sockets.push(socket);
	}
	await until(() => sockets.every((socket) => !socket.connecting));
	expect(server.connections()).toBeLessThanOrEqual(16);
	await until(() => server.connections() === 0);
	// The flood used this address' share up; it comes back with time.
	let answer = await curl(port, "/healthz");
	for (let tries = 0; answer.code !== 0 && tries < 20; tries++) {
		await Bun.sleep(100);
		answer = await curl(port, "/healthz");
	}
	expect(answer.out).toBe("ok\n");
	for (const socket of sockets) socket.destroy();
});

test("hundreds of plain connections a second, and bytes that are no handshake, keep no scraper out", async () => {
	const { server, port } = await start(null);
	const sockets = new Set<net.Socket>();
	let connected = 0;
	const timer = setInterval(() => {
		for (let index = 0; index < 10; index++) {
			const socket = net.connect(port, "127.0.0.1");
			socket.on("error", () => {});
			socket.on("connect", () => {
				connected++;
				if (index % 3 === 0) socket.write("GET / HTTP/1.1\r\n\r\n");
				if (index % 3 === 1) socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1]));
			});
			socket.on("close", () => sockets.delete(socket));
			sockets.add(socket);
		}
	}, 50);
	await until(() => connected > 200);
	for (let scrape = 0; scrape < 12; scrape++) expect(await curl(port, "/metrics")).toMatchObject({ code: 0 });
	clearInterval(timer);
	expect(server.connections()).toBeLessThanOrEqual(128);
	for (const socket of sockets) socket.destroy();
	await until(() => server.connections() === 0);
});
