import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { get } from "../../../src/cli/status/client.ts";
import { statusTarget } from "../../../src/cli/status/status-target.ts";
import type { Config } from "../../../src/config/model.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { Bearer } from "../../../src/serve/http/bearer.ts";
import { readServerTls } from "../../../src/serve/http/certificate.ts";
import type { HttpServer } from "../../../src/serve/http/server.ts";
import { sampleSource } from "../../report/sample.ts";
import { serve } from "../../serve/http/wire.ts";
import { Certificates, type Pem, readPem } from "../../support/certificates.ts";

const token = "t".repeat(32);
const here = "127.0.0.1:9755";
const elsewhere = "192.0.2.1:9755";

let files: Certificates;
let own: Pem;
let tokenFile: string;
const running: HttpServer[] = [];
beforeEach(() => {
	files = new Certificates();
	own = files.selfSigned("guard.example");
	tokenFile = join(files.path, "token");
	writeFileSync(tokenFile, token);
});
afterEach(() => {
	for (const server of running.splice(0)) server.stop();
	files[Symbol.dispose]();
});

const config = (status: Partial<Config["status"]>): Config => {
	const base = defaultConfig();
	return { ...base, stateDir: "/state", status: { ...base.status, ...status } };
};
const asked = (status: Partial<Config["status"]>, named: boolean, root: boolean) => {
	const found = statusTarget(config(status), { named, root });
	return found.ok ? found.target.address : found.message;
};

test("who is asked", () => {
	const tls = { ...own, clientCa: null };
	const socket = "unix:/state/status.sock";
	expect(asked({}, false, true)).toBe(socket);
	expect(asked({}, false, false)).toContain("ask as root, on /state/status.sock");
	expect(asked({ detail: "full" }, false, false)).toBe(here);
	expect(asked({ address: "unix:/s" }, false, true)).toBe("unix:/s");
	for (const status of [
		{ detail: "metrics-only" },
		{ detail: "full" },
		{ tls },
		{ tokenFile },
		{ address: elsewhere },
	] as const) {
		expect(asked(status, false, true)).toBe(socket);
		// Whoever names an address means it.
		expect(asked(status, true, true)).toBe(status.address ?? here);
	}
	for (const status of [
		{ detail: "metrics-only" },
		{ address: elsewhere },
		{ tls: { ...own, clientCa: own.cert } },
	] as const) {
		expect(asked(status, false, false)).toContain("ask as root, on /state/status.sock");
	}
	expect(asked({ tls, detail: "full" }, false, false)).toBe(here);
});

test("certificate and token are those of the settings, or it is said why there are none", () => {
	const status = { tls: { ...own, clientCa: null }, tokenFile };
	expect(statusTarget(config(status), { named: true, root: true })).toEqual({
		ok: true,
		target: { address: here, cert: readPem(own).cert, token },
	});
	writeFileSync(tokenFile, "short");
	expect(asked({ tokenFile }, true, true)).toContain("5 characters");
	expect(asked({ tokenFile: "/nowhere" }, true, true)).toContain("/nowhere");
});

async function daemon(pem: Pem): Promise<string> {
	const { cert, key } = readPem(pem);
	const tls = readServerTls(cert, key, null);
	const bearer = Bearer.parse(token);
	if (!tls.ok || !bearer.ok) throw new Error("no certificate or token");
	const address = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
	const access = { tls: tls.tls, authorize: (header: string | null) => bearer.bearer.accepts(header) };
	const { server } = await serve(sampleSource().source, {}, address, access);
	running.push(server);
	return server.address.kind === "tcp" ? `127.0.0.1:${server.address.port}` : "";
}

const ask = (address: string, pem: Pem, given: string | null = token) =>
	get({ address, cert: readPem(pem).cert, token: given }, "/healthz", AbortSignal.timeout(10_000));

test("the daemon's own certificate is trusted over any name, self-signed or not, with the token", async () => {
	const ca = files.selfSigned("ca.example");
	for (const pem of [own, files.signed("inner.example", ca)]) {
		const address = await daemon(pem);
		expect((await ask(address, pem)).ok).toBe(true);
		expect(await ask(address, pem, null)).toMatchObject({ message: expect.stringContaining("401") });
		expect(await ask(address, pem, "w".repeat(32))).toMatchObject({
			message: expect.stringContaining("401"),
		});
	}
});

test("another certificate is not, not even of the same name, nor one that its signer made for somebody else", async () => {
	const ca = files.selfSigned("ca.example");
	const impostor = await daemon(files.selfSigned("impostor", "DNS:guard.example,IP:127.0.0.1"));
	expect(await ask(impostor, own)).toMatchObject({ ok: false });
	expect(await ask(await daemon(files.signed("other.example", ca)), ca)).toMatchObject({ ok: false });
});
