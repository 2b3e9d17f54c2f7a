import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebhookTransport } from "../../../src/sinks/transports/webhook.ts";
import { Certificates } from "../../support/certificates.ts";
import { numbered, sinkSettings } from "../support/settings.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-webhook."));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const outgoing = (count: number) =>
	Array.from({ length: count }, (_, index) => ({ alert: numbered(index), text: `{"n":${index}}` }));
const settings = (url: string, more: Readonly<Record<string, unknown>> = {}) =>
	sinkSettings({ name: "w", type: "webhook", url, ...more });

test("one alert a line, over TLS with a private CA and both certificates, with who it is", async () => {
	using certificates = new Certificates();
	const ca = certificates.selfSigned("ca");
	const own = certificates.signed("server", ca, "IP:127.0.0.1");
	const client = certificates.signed("client", ca);
	chmodSync(client.key, 0o600);
	const token = join(directory, "token");
	writeFileSync(token, "Splunk 0123\n", { mode: 0o600 });
	const read = (path: string) => readFileSync(path, "utf8");
	const got: { readonly body: string; readonly headers: Headers }[] = [];
	using server = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		tls: {
			cert: read(own.cert),
			key: read(own.key),
			ca: read(ca.cert),
			requestCert: true,
			rejectUnauthorized: true,
		},
		fetch: async (request) => {
			got.push({ body: await request.text(), headers: request.headers });
			return new Response("thanks");
		},
	});
	const url = `https://127.0.0.1:${server.port}/in`;
	const tls = { ca: ca.cert, cert: client.cert, key: client.key };
	const sender = new WebhookTransport(settings(url, { tls, authorizationFile: token }));
	expect(await sender.send(outgoing(3))).toEqual({ done: 3, refused: 0, cut: 0, error: "", wait: null });
	expect(got[0]?.body).toBe('{"n":0}\n{"n":1}\n{"n":2}\n');
	expect(got[0]?.headers.get("Authorization")).toBe("Splunk 0123");
	expect(got[0]?.headers.get("Content-Type")).toBe("application/x-ndjson");
	const cef = new WebhookTransport(settings(url, { tls, format: "cef" }));
	expect((await cef.send(outgoing(1))).done).toBe(1);
	expect(got[1]?.headers.get("Content-Type")).toStartWith("text/plain");
	expect(got[1]?.headers.get("Authorization")).toBeNull();
	// Nobody gets alerts whose certificate the CA has not signed, and nobody without one of ours sends any.
	expect((await new WebhookTransport(settings(url)).send(outgoing(1))).done).toBe(0);
	expect((await new WebhookTransport(settings(url, { tls: { ca: ca.cert } })).send(outgoing(1))).done).toBe(
		0,
	);
	chmodSync(token, 0o644);
	expect((await sender.send(outgoing(1))).error).toContain("chmod o=");
	writeFileSync(token, "a\nb", { mode: 0o600 });
	chmodSync(token, 0o600);
	expect((await sender.send(outgoing(1))).error).toContain("one line");
	expect(got).toHaveLength(2);
});

test("what the receiver says: later, elsewhere, never, nothing at all", async () => {
	let answer = () => new Response("", { status: 503, headers: { "Retry-After": "7" } });
	let requests = 0;
	using server = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		fetch: () => {
			requests++;
			return answer();
		},
	});
	const url = `http://127.0.0.1:${server.port}/`;
	const sender = new WebhookTransport(settings(url));
	expect(await sender.send(outgoing(4))).toEqual({
		done: 0,
		refused: 0,
		cut: 0,
		error: "the receiver answers 503",
		wait: 7000,
	});
	answer = () => new Response("", { status: 302, headers: { Location: "http://127.0.0.1:1/" } });
	expect((await sender.send(outgoing(4))).error).toBe("the receiver answers 302");
	answer = () => new Response("", { status: 401 });
	expect(await sender.send(outgoing(4))).toMatchObject({ done: 0, error: "the receiver answers 401" });
	requests = 0;
	answer = () => new Response("", { status: 400 });
	const refused = await sender.send(outgoing(400));
	// It gives up soon, so that a wrong address costs few alerts.
	expect(requests).toBeLessThanOrEqual(20);
	expect(refused.done).toBe(refused.refused);
	expect(refused.done).toBeLessThan(20);
	expect(refused.error).toBe("the receiver refuses too many alerts");
	await server.stop(true);
	expect(await sender.send(outgoing(4))).toMatchObject({ done: 0, wait: null });
});

test("one bad alert takes no other along", async () => {
	const taken: string[] = [];
	using server = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		fetch: async (request) => {
			const body = await request.text();
			if (body.includes('{"n":37}')) return new Response("", { status: 422 });
			taken.push(...body.trim().split("\n"));
			return new Response("");
		},
	});
	const sender = new WebhookTransport(settings(`http://127.0.0.1:${server.port}/`));
	const sent = await sender.send(outgoing(100));
	expect(sent).toMatchObject({ done: 100, refused: 1, error: "the receiver answers 422" });
	expect(taken).toEqual(outgoing(100).flatMap(({ text }, index) => (index === 37 ? [] : [text])));
});

test("a receiver that never answers ends by the limit, or when the sink is closed", async () => {
	const never = Promise.withResolvers<Response>();
	using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => never.promise });
	const url = `http://127.0.0.1:${server.port}/`;
	expect((await new WebhookTransport(settings(url), 200).send(outgoing(1))).error).toBe(
		"no answer came in time",
	);
	const sender = new WebhookTransport(settings(url));
	const sending = sender.send(outgoing(1));
	setTimeout(() => sender.close(), 50);
	expect((await sending).done).toBe(0);
	never.resolve(new Response(""));
});

test("where a request comes to nothing, what the receiver's name leads to is looked up", async () => {
	const gone = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
	const { port } = gone;
	await gone.stop(true);
	const sender = new WebhookTransport(settings(`http://localhost:${port}/`));
	expect(sender.addresses).toEqual([]);
	expect(await sender.send(outgoing(1))).toMatchObject({ done: 0 });
	expect(sender.addresses).toContain("127.0.0.1");
	sender.close();
});
