import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../src/config/model.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { localStatusSocket } from "../../src/config/status-access.ts";
import type { Logger } from "../../src/report/log.ts";
import { AlertRing } from "../../src/report/sinks/alert-ring.ts";
import type { HttpSource } from "../../src/serve/http/routes.ts";
import { StatusServer } from "../../src/serve/status-server.ts";
import { sampleState } from "../report/sample.ts";
import { Certificates } from "../support/certificates.ts";
import { until } from "../system/support/isolated.ts";

const stops: (() => void)[] = [];
let directory: string;
/** What is wrong with the settings. */
let problem: string;
beforeEach(() => {
	problem = "";
	directory = mkdtempSync(join(tmpdir(), "portward-status-"));
});
afterEach(() => {
	for (const stop of stops.splice(0)) stop();
	rmSync(directory, { recursive: true, force: true });
});

const source: HttpSource = {
	refresh: async () => {},
	state: () =>
		sampleState({
			readiness: { ready: true, body: "enforced: np1" },
			settings: { problem, restart: "last-good" },
		}),
	metrics: () => "portward_drift_total 0\n",
	alerts: new AlertRing(1),
	subscribe: () => () => {},
};

function open(status: Partial<Config["status"]>, stateDir = join(directory, "state")) {
	const lines: string[] = [];
	const write = (message: string, fields?: Readonly<Record<string, unknown>>) =>
		void lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
	const log: Logger = { info: write, warn: write, error: write };
	const server = new StatusServer({
		status: { ...defaultConfig().status, ...status },
		stateDir,
		checkPermissions: true,
		hostname: () => "h",
		source,
		log,
		retryMs: 5,
	});
	stops.push(() => server.stop());
	return { server, lines, socket: localStatusSocket(stateDir) };
}

/** A port that is held until the returned function is called. */
function hold(): { port: number; release: () => void } {
	const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
	stops.push(() => listener.stop(true));
	return { port: listener.port, release: () => listener.stop(true) };
}

/** A port that nobody has now. */
function freePort(): number {
	const { port, release } = hold();
	release();
	return port;
}

test("whoever holds the address delays the status, once said, and nothing else", async () => {
	const held = hold();
	const { server, lines } = open({ address: `127.0.0.1:${held.port}` });
	await server.start();
	expect(server.address).toBeNull();
	await Bun.sleep(30);
	expect(lines.filter((line) => !line.startsWith("listening"))).toEqual([
		expect.stringContaining("nobody can read the status; enforcement goes on"),
	]);
	expect(server.page(false)).toMatchObject({ ok: false, message: expect.stringContaining("is in use") });
	expect(server.warnings).toEqual([expect.stringContaining("is in use")]);
	held.release();
	await until(() => server.address !== null, "it listens once the address is free");
	const answer = await fetch(`http://127.0.0.1:${held.port}/healthz`);
	expect(answer.status).toBe(200);
	expect(server.warnings).toEqual([]);
});

test("without TLS and token nothing listens for others: the reason and the remedy are said, root reads on", async () => {
	const port = freePort();
	const { server, lines, socket } = open({ address: `0.0.0.0:${port}` });
	await server.start();
	expect(lines[0]).toContain("the status endpoint is refused; enforcement goes on");
	expect(lines[0]).toContain("set status.tls");
	expect(server.address).toBeNull();
	await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
	expect(server.warnings).toEqual([expect.stringContaining("is not served")]);
	expect((await fetch("http://localhost/v1/status", { unix: socket })).status).toBe(200);
	await server.reload();
	expect(server.address).toBeNull();
});

test("metrics-only: the address tells no names, root's socket everything", async () => {
	const port = freePort();
	const { server, socket } = open({ address: `127.0.0.1:${port}`, detail: "metrics-only" });
	await server.start();
	const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
	expect(await (await get("/readyz")).text()).toBe("ready\n");
	expect(await (await get("/metrics")).text()).toContain("portward_drift_total");
	expect((await get("/healthz")).status).toBe(200);
	for (const path of [
		"/",
		"/v1/status",
		"/v1/alerts",
		"/v1/alerts/stream",
		"/v1/usb/devices",
		"/v1/graph",
		"/nowhere",
	]) {
		const answer = await get(path);
		expect(answer.status).toBe(403);
		const told = await answer.text();
		expect(told).not.toContain("np1");
		expect(told).toContain("run portward page");
	}
	problem = "/etc/portward/config.yaml:1:1: unknown field np1";
	expect(await (await get("/readyz")).text()).toBe(
		"ready; settings on disk are broken, the old ones are in force, a restart takes the last good ones as well\n",
	);
	expect(statSync(socket).mode & 0o777).toBe(0o600);
	expect(statSync(socket).uid).toBe(0);
	expect(await (await fetch("http://localhost/readyz", { unix: socket })).text()).toBe("enforced: np1\n");
	server.stop();
	expect(existsSync(socket)).toBe(false);
});

test("a link of root's opens the page in one browser, over any forwarded port, until it is revoked", async () => {
	const port = freePort();
	const tokenFile = join(directory, "token");
	writeFileSync(tokenFile, "t".repeat(32), { mode: 0o600 });
	for (const protection of [{}, { tokenFile }]) {
		const { server } = open({ address: `127.0.0.1:${port}`, ...protection });
		await server.start();
		const made = server.page(false);
		expect(made.message).toStartWith(`http://127.0.0.1:${port}/page/`);
		const get = (path: string, headers: Record<string, string> = {}) =>
			fetch(`http://127.0.0.1:${port}${path}`, { headers, redirect: "manual" });
		expect((await get("/v1/status")).ok).toBe(false);
		const opened = await fetch(made.message);
		expect(opened.status).toBe(200);
		const cookie = opened.headers.get("set-cookie")?.split(";")[0] ?? "";
		expect((await fetch(made.message)).status).toBe(403);
		// As ssh -L makes it look.
		const forwarded = { cookie, host: "localhost:8000" };
		expect(await (await get("/", forwarded)).text()).toContain("<h1>Portward</h1>");
		for (const path of ["/v1/status", "/v1/alerts", "/v1/usb/devices"])
			expect((await get(path, forwarded)).status).toBe(200);
		expect(await (await get("/readyz", forwarded)).text()).toBe("enforced: np1\n");
		// Another site's name is none of ours, cookie or not.
		expect((await get("/", { cookie, host: "evil.example" })).status).toBe(421);
		expect((await get(new URL(server.page(false).message).pathname, { host: "evil.example" })).status).toBe(
			421,
		);
		expect((await get("/", { cookie: `${cookie}x` })).ok).toBe(false);
		expect(server.page(true)).toMatchObject({ ok: true });
		expect((await get("/", forwarded)).ok).toBe(false);
		server.stop();
	}
	const { server } = open({ address: "unix:/run/p.sock" });
	expect(server.page(false)).toMatchObject({
		ok: false,
		message: expect.stringContaining("ssh -L 9755:/run/p.sock"),
	});
});

test("another user is not served on root's socket, even where its mode would let him in", async () => {
	const { server, socket } = open({ detail: "metrics-only", address: `127.0.0.1:${freePort()}` });
	await server.start();
	for (const path of [directory, join(directory, "state")]) chmodSync(path, 0o755);
	chmodSync(socket, 0o666);
	const ask = async (...user: string[]) => {
		const argv = [...user, "curl", "--silent", "--unix-socket", socket, "http://localhost/healthz"];
		const child = Bun.spawn(argv, { stdout: "pipe", stderr: "ignore" });
		return await new Response(child.stdout).text();
	};
	expect(await ask()).toBe("ok\n");
	expect(await ask("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")).toBe("");
});

test("a token is needed for every page, and a new one is taken over, but not a broken one", async () => {
	const tokenFile = join(directory, "token");
	const write = (token: string) => writeFileSync(tokenFile, token, { mode: 0o600 });
	write("a".repeat(32));
	const address = `127.0.0.1:${freePort()}`;
	const { server, lines } = open({ address, tokenFile });
	await server.start();
	const get = async (path: string, token?: string) => {
		const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
		return (await fetch(`http://${address}${path}`, { headers })).status;
	};
	for (const path of ["/", "/healthz", "/metrics", "/v1/status", "/nowhere"])
		expect(await get(path)).toBe(401);
	expect(await get("/metrics", "a".repeat(32))).toBe(200);
	write("b".repeat(32));
	await server.reload();
	expect([await get("/metrics", "a".repeat(32)), await get("/metrics", "b".repeat(32))]).toEqual([401, 200]);
	write("short");
	await server.reload();
	expect(lines.at(-1)).toContain("keeps its token and certificate");
	expect(await get("/metrics", "b".repeat(32))).toBe(200);
});

test("a token file that is missing opens nothing, until it is there", async () => {
	const tokenFile = join(directory, "token");
	const address = `127.0.0.1:${freePort()}`;
	const { server, lines } = open({ address, tokenFile });
	await server.start();
	expect(lines[0]).toContain("nobody can read the status; enforcement goes on");
	expect(server.address).toBeNull();
	writeFileSync(tokenFile, "c".repeat(32), { mode: 0o600 });
	await until(() => server.address !== null, "it listens with its token");
	expect((await fetch(`http://${address}/metrics`)).status).toBe(401);
});

test("a new certificate is taken over, a broken one is not", async () => {
	using files = new Certificates();
	const names = "DNS:localhost,IP:127.0.0.1";
	const tls = { ...files.selfSigned("guard.example", names), clientCa: null };
	const address = `127.0.0.1:${freePort()}`;
	const { server, lines } = open({ address, tls });
	await server.start();
	const get = async (ca: string) => {
		const answer = await fetch(`https://${address}/healthz`, { tls: { ca }, keepalive: false }).catch(
			() => null,
		);
		return answer?.status ?? 0;
	};
	const first = await Bun.file(tls.cert).text();
	expect(await get(first)).toBe(200);
	files.selfSigned("guard.example", names);
	const second = await Bun.file(tls.cert).text();
	await server.reload();
	expect([await get(first), await get(second)]).toEqual([0, 200]);
	writeFileSync(tls.key, "broken");
	await server.reload();
	expect(lines.at(-1)).toContain("holds no private key");
	expect(await get(second)).toBe(200);
});

test("a certificate that has ended is said", async () => {
	using files = new Certificates();
	const tls = { ...files.selfSigned("guard.example"), clientCa: null };
	const { server } = open({ address: `127.0.0.1:${freePort()}`, tls });
	await server.start();
	expect(server.warnings).toEqual([]);
	const [{ name, expires } = { name: "", expires: 0 }, ...others] = server.certificates;
	expect([name, expires > Date.now(), others]).toEqual(["status", true, []]);
	const now = Date.now;
	Date.now = () => now() + 3 * 86_400_000;
	try {
		expect(server.warnings).toEqual([expect.stringContaining("ended on")]);
	} finally {
		Date.now = now;
	}
});

test("an address for others that is protected in part is warned about", async () => {
	const tokenFile = join(directory, "token");
	writeFileSync(tokenFile, "c".repeat(32), { mode: 0o600 });
	const { server, lines } = open({ address: "192.0.2.1:1", tokenFile });
	await server.start();
	expect(lines[0]).toContain("reads the bearer token");
	expect(server.warnings[0]).toContain("reads the bearer token");
});
