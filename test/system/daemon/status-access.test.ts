/** Who reads the status of a real daemon: other hosts by certificate or token, root on its own socket; and that nobody's reading matters to the packets. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Certificates } from "../../support/certificates.ts";
import { executable } from "../support/built.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, spawnBound } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const { blockedPorts, portward } = rig;

let files: Certificates;
let local: string;

beforeEach(() => {
	files = new Certificates();
	local = rig.lab.links[0]?.local4 ?? "";
});
afterEach(() => {
	files[Symbol.dispose]();
});

/** A daemon whose status is anywhere; it enforces when this returns. */
async function start(status: Readonly<Record<string, unknown>>): Promise<Daemon> {
	rig.home.put("a.yaml", blocks("a", 81));
	const daemon = Daemon.spawn(rig.lab.guarded, { config: { status } }, rig.home);
	await enforced(daemon, 1);
	return daemon;
}

const enforced = (daemon: Daemon, times: number) =>
	eventually(
		`enforced ${times} times\n${daemon.log}`,
		() => daemon.log.split("info enforced").length - 1 >= times,
	);

/** curl from another host. */
const curl = (...argv: string[]) =>
	rig.lab.peer.try([
		"curl",
		"--silent",
		"--show-error",
		"--max-time",
		"5",
		"--cacert",
		join(files.path, "ca.pem"),
		...argv,
	]);

test("an address for others without TLS or token: nobody reads there, all is enforced, root reads on", async () => {
	await using daemon = await start({ address: `${local}:9755` });
	expect(await blockedPorts(81, 82)).toEqual([81]);
	expect(curl(`http://${local}:9755/metrics`).code).toBe(7);
	expect(daemon.log).toMatch(/config\.yaml:1:\d+: error: .*so it is not served there \[status-refused\]/u);
	expect(daemon.log).toContain("set status.tls");
	expect(daemon.log).toContain("the status endpoint is refused; enforcement goes on");
	const told = portward("status");
	expect(told.code).toBe(0);
	expect(told.out).toContain(`warning: the status endpoint ${local}:9755 is not served`);
	expect(told.out).toContain("a: enforced");
	expect(await daemon.stop()).toBe(0);
});

test("a certificate that cannot be read stops no rule, and is taken when it can", async () => {
	const tls = { cert: join(files.path, "own.pem"), key: join(files.path, "own.key") };
	writeFileSync(tls.cert, "nothing");
	await using daemon = await start({ address: `${local}:9755`, tls });
	expect(await blockedPorts(81, 82)).toEqual([81]);
	expect(daemon.log).toContain("nobody can read the status; enforcement goes on");
	const ca = files.selfSigned("ca");
	files.signed("own", ca, `IP:${local}`);
	expect(curl(`https://${local}:9755/healthz`).code).toBe(7);
	expect(portward("status").out).toContain("is not served");
	daemon.signal("SIGHUP");
	await eventually("an answer", () => curl(`https://${local}:9755/healthz`).out === "ok\n");
});

test("metrics-only by certificate and token: a scraper gets the metrics and no names, root everything", async () => {
	const ca = files.selfSigned("ca");
	const own = files.signed("own", ca, `IP:${local}`);
	const scraper = files.signed("scraper", ca);
	const tokenFile = join(files.path, "token");
	const token = "t".repeat(40);
	writeFileSync(tokenFile, token, { mode: 0o600 });
	const status = {
		address: `${local}:9755`,
		detail: "metrics-only",
		tls: { ...own, clientCa: ca.cert },
		tokenFile,
	};
	await using daemon = await start(status);
	const shown = ["--cert", scraper.cert, "--key", scraper.key];
	const bearer = ["--header", `Authorization: Bearer ${token}`];
	const url = `https://${local}:9755`;
	expect(curl(`${url}/metrics`, ...bearer).code).not.toBe(0);
	expect(curl(`${url}/metrics`, ...shown).out).toContain("a bearer token is needed");
	expect(curl(`${url}/metrics`, ...shown, ...bearer).out).toContain(
		'portward_enforcer_up{enforcer="network"} 1',
	);
	expect(curl(`${url}/readyz`, ...shown, ...bearer).out).toBe("ready\n");
	expect(curl(`${url}/v1/status`, ...shown, ...bearer).out).toContain("only /healthz, /readyz and /metrics");
	expect(portward("status").out).toContain("a: enforced, Block");
	expect(await blockedPorts(81)).toEqual([81]);
	await daemon.alert("the packet", (alert) => alert.PolicyName === "a");
	expect(portward("alerts").out).toContain(" by a");
	const usb = portward("usb", "list");
	expect(usb.error).not.toContain("no daemon answers");
	// A new token counts from SIGHUP on.
	writeFileSync(tokenFile, "n".repeat(40));
	daemon.signal("SIGHUP");
	await enforced(daemon, 2);
	expect(curl(`${url}/metrics`, ...shown, ...bearer).out).toContain("a bearer token is needed");
	expect(await daemon.stop()).toBe(0);
	expect(existsSync(join(rig.home.state, "status.sock"))).toBe(false);
});

test("a link of portward page opens the page, here and over a forwarded port; nobody else reads over TCP", async () => {
	await using daemon = await start({ address: "127.0.0.1:9755" });
	const ask = (...argv: string[]) => rig.lab.guarded.try(["curl", "--silent", "--max-time", "5", ...argv]);
	const user = (...argv: string[]) =>
		rig.lab.guarded.try(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...argv]);
	const base = "http://127.0.0.1:9755";
	for (const path of ["/", "/v1/status", "/v1/alerts", "/v1/usb/devices", "/v1/graph", "/v1/history"]) {
		const told = user("curl", "--silent", "--write-out", "%{http_code}", `${base}${path}`).out;
		expect(told).toContain("run portward page");
		expect(told).toEndWith("403");
	}
	expect(user("curl", "--silent", `${base}/metrics`).out).toContain("portward_enforcer_up");
	expect(user(executable(), "page", "--config", rig.home.config).code).toBe(1);
	const made = portward("page");
	expect(made.code).toBe(0);
	const link = made.out.trim();
	expect(link).toStartWith(`${base}/page/`);
	const jar = join(files.path, "jar");
	expect(ask("--cookie-jar", jar, link).out).toContain('content="0; url=/"');
	expect(readFileSync(jar, "utf8")).toContain("#HttpOnly_127.0.0.1");
	expect(ask("--cookie", jar, `${base}/`).out).toContain("<h1>Portward</h1>");
	expect(ask("--cookie", jar, "--header", "Host: 127.0.0.1:8000", `${base}/v1/status`).out).toContain(
		'"name":"a"',
	);
	expect(ask(link).out).toContain("this link has been used");
	expect(portward("page", "--revoke").out).toContain("revoked");
	expect(ask("--cookie", jar, `${base}/`).out).toContain("run portward page");
	await eventually("a word in the log", () => daemon.log.includes("a link to the status page was made"));
});

test("a local user's floods of connections and of streams shut out neither root nor others", async () => {
	await using daemon = await start({ address: "127.0.0.1:9755", detail: "full" });
	const script = `
		const open = (request) => {
			const socket = require("node:net").connect(9755, "127.0.0.1", () => socket.write(request));
			socket.on("error", () => {});
			socket.on("close", () => setTimeout(open, 5, request));
			socket.resume();
		};
		for (let index = 0; index < 40; index++) open("GET /v1/alerts/stream HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n");
		for (let index = 0; index < 300; index++) open("GET / HT");
	`;
	const flooding = spawnBound(
		rig.lab.guarded.inside([
			...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
			...[process.execPath, "-e", script],
		]),
	);
	try {
		await eventually(
			"streams and connections",
			() =>
				rig.lab.guarded.run(["ss", "-Htn", "state", "established", "sport = 9755"]).split("\n").length > 100,
		);
		for (let round = 0; round < 5; round++) {
			const began = performance.now();
			expect(portward("status").out).toContain("a: enforced");
			expect(performance.now() - began).toBeLessThan(30_000);
			const scrape = rig.lab.guarded.try([
				"curl",
				"--silent",
				"--max-time",
				"30",
				"http://127.0.0.1:9755/metrics",
			]);
			expect(scrape.out).toContain("portward_enforcer_up");
		}
		// Another user's stream takes the place of one of the flood's.
		const stream = () =>
			rig.lab.guarded.try([
				...["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"],
				...["curl", "--silent", "--max-time", "2", "http://127.0.0.1:9755/v1/alerts/stream"],
			]);
		await eventually("another user's stream", () => stream().out.includes(": connected"));
		expect(daemon.log).not.toContain("bug");
	} finally {
		flooding.kill("SIGKILL");
		await flooding.exited;
	}
});

test("hundreds of clients that dawdle, some under TLS, hold up neither answers nor rules nor alerts", async () => {
	const ca = files.selfSigned("ca");
	const own = files.signed("own", ca, `IP:${local}`);
	const tokenFile = join(files.path, "token");
	writeFileSync(tokenFile, "t".repeat(40), { mode: 0o600 });
	await using daemon = await start({ address: `${local}:9755`, tls: own, tokenFile });
	// Each begins a handshake and goes on a byte at a time, from another host.
	const script = `
		const hello = Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
		const dawdle = async () => {
			for (;;) {
				let open = true;
				const socket = await Bun.connect({ hostname: ${JSON.stringify(local)}, port: 9755, socket: { data() {}, close() { open = false; }, error() { open = false; } } }).catch(() => null);
				for (let at = 0; socket !== null && open; at++) {
					socket.write(hello.subarray(at % hello.length, at % hello.length + 1));
					await Bun.sleep(200);
				}
				await Bun.sleep(50);
			}
		};
		for (let index = 0; index < 400; index++) void dawdle();
		console.log("dawdling");
	`;
	const dawdlers = spawnBound(rig.lab.peer.inside([process.execPath, "-e", script]));
	try {
		// One client may begin twenty handshakes at once, and ten more each second.
		await eventually(
			"connections",
			() => rig.lab.guarded.run(["ss", "-Htn", "sport = 9755"]).split("\n").length > 25,
		);
		// Root's own socket is another server.
		expect(portward("status").out).toContain("a: enforced");
		rig.home.put("b.yaml", blocks("b", 82));
		await enforced(daemon, 2);
		expect(await blockedPorts(81, 82)).toEqual([81, 82]);
		await daemon.alert("the packet", (alert) => alert.PolicyName === "b");
		// Those that wait to be accepted are connections to the kernel, for a moment.
		await eventually(
			"few connections",
			() =>
				rig.lab.guarded.run(["ss", "-Htn", "state", "established", "sport = 9755"]).split("\n").length < 160,
		);
	} finally {
		dawdlers.kill("SIGKILL");
		await dawdlers.exited;
	}
	const ask = () =>
		curl(`https://${local}:9755/healthz`, "--header", `Authorization: Bearer ${"t".repeat(40)}`);
	await eventually("an answer, once this host's share is back", () => ask().out === "ok\n");
});
