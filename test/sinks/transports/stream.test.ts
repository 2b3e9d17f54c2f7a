import { describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { parseSinkAddress, type SinkSettings } from "../../../src/config/sinks.ts";
import { StreamTransport } from "../../../src/sinks/transports/stream.ts";
import { Certificates } from "../../support/certificates.ts";
import { SyslogServer, until } from "../support/receivers.ts";
import { numbered } from "../support/settings.ts";

const noTls = { ca: null, cert: null, key: null };
const limits = { connect: 30_000, write: 30_000, stand: 50, firstStand: 50 };
const outgoing = (from: number, count: number) =>
	Array.from({ length: count }, (_, index) => ({
		alert: numbered(from + index),
		text: `line ${from + index} ä`,
	}));

function transport(
	address: string,
	tls: SinkSettings["tls"] = noTls,
	changed: Partial<typeof limits> = {},
): StreamTransport {
	const parsed = parseSinkAddress(address);
	if (parsed === null || parsed.transport === "unix") throw new Error("no address");
	return new StreamTransport(parsed, tls, ({ text }) => text, { ...limits, ...changed });
}

test("messages with their length before them, over one connection; after its end over another", async () => {
	await using server = await SyslogServer.open();
	const sender = transport(`tcp://127.0.0.1:${server.port}`);
	expect(await sender.send(outgoing(0, 3))).toEqual({ done: 3, refused: 0, cut: 0, error: "", wait: null });
	await until(() => server.messages.length === 3);
	expect(server.messages[2]).toBe("line 2 ä");
	server.hangUp();
	// The end of the connection comes when it comes: what was sent into it counts as not sent.
	let done = 0;
	for (let attempt = 0; done === 0 && attempt < 100; attempt++)
		done = (await sender.send(outgoing(3, 2))).done;
	await until(() => server.messages.length >= 5);
	expect(server.messages.slice(-1)).toEqual(["line 4 ä"]);
	sender.close();
});

test("a name is looked up for each connection, and what it led to is known", async () => {
	await using server = await SyslogServer.open();
	const sender = transport(`tcp://localhost:${server.port}`);
	await sender.send(outgoing(0, 1));
	expect(sender.addresses).toContain("127.0.0.1");
	sender.close();
});

test("a message that no receiver takes is cut between two characters, and counted", async () => {
	await using server = await SyslogServer.open();
	const sender = transport(`tcp://127.0.0.1:${server.port}`);
	const long = { alert: numbered(0), text: `x${"ä".repeat(200_000)}` };
	expect(await sender.send([long, ...outgoing(1, 1)])).toMatchObject({ done: 2, cut: 1 });
	await until(() => server.messages.length === 2);
	expect(server.messages[0]).toBe(`x${"ä".repeat(131_071)}`);
	expect(server.messages[1]).toBe("line 1 ä");
	sender.close();
});

test("nobody listens; nobody answers; closed meanwhile", async () => {
	const server = await SyslogServer.open();
	const { port } = server;
	await server[Symbol.asyncDispose]();
	const refused = transport(`tcp://127.0.0.1:${port}`);
	const result = await refused.send(outgoing(0, 1));
	expect(result.done).toBe(0);
	expect(result.error).not.toBe("");
	refused.close();
});

test("a receiver that does not read holds up its own sink alone, and not for ever", async () => {
	await using server = await SyslogServer.open(null, 0, false);
	const sender = transport(`tcp://127.0.0.1:${server.port}`, noTls, { write: 300 });
	const big = Array.from({ length: 40 }, () => ({ alert: numbered(0), text: "x".repeat(250_000) }));
	const results = [await sender.send(big), await sender.send(big), await sender.send(big)];
	expect(results.some(({ done, error }) => done === 0 && error === "the receiver does not read")).toBe(true);
	sender.close();
});

test("what waits for a receiver ends when the sink is closed", async () => {
	await using server = await SyslogServer.open(null, 0, false);
	const sender = transport(`tcp://127.0.0.1:${server.port}`);
	const big = Array.from({ length: 80 }, () => ({ alert: numbered(0), text: "x".repeat(250_000) }));
	const sending = sender.send(big);
	setTimeout(() => sender.close(), 100);
	expect((await sending).error).toBe("the sink was closed");
});

describe("TLS", () => {
	test("a private CA, a certificate to show, and a name that has to be right", async () => {
		using certificates = new Certificates();
		const ca = certificates.selfSigned("ca");
		const own = certificates.signed("server", ca, "IP:127.0.0.1,DNS:localhost");
		const other = certificates.signed("other", ca, "DNS:other.example");
		const client = certificates.signed("client", ca);
		chmodSync(client.key, 0o600);
		const read = (path: string) => readFileSync(path, "utf8");
		const options = (pem: typeof own) => ({
			cert: read(pem.cert),
			key: read(pem.key),
			ca: read(ca.cert),
			requestCert: true,
			rejectUnauthorized: true,
		});
		await using server = await SyslogServer.open(options(own));
		await using wrong = await SyslogServer.open(options(other));
		const whole = { ca: ca.cert, cert: client.cert, key: client.key };
		const ends: (number | null)[] = [];
		const ask = async (address: string, tls: SinkSettings["tls"], firstStand = 50) => {
			const parsed = parseSinkAddress(address);
			if (parsed === null || parsed.transport === "unix") throw new Error("no address");
			// A server of TLS 1.3 refuses a certificate only after the client's handshake.
			const sender = new StreamTransport(parsed, tls, ({ text }) => text, { ...limits, firstStand });
			const sent = await sender.send(outgoing(0, 1));
			sender.close();
			ends.push(sender.certificateExpires);
			return sent;
		};
		expect(await ask(`tls://127.0.0.1:${server.port}`, whole)).toMatchObject({ done: 1, error: "" });
		await until(() => server.messages.length === 1);
		expect((await ask(`tls://127.0.0.1:${wrong.port}`, whole)).error).toContain("does not match");
		expect((await ask(`tls://127.0.0.1:${server.port}`, { ...whole, ca: client.cert })).error).not.toBe("");
		expect((await ask(`tls://127.0.0.1:${server.port}`, { ...noTls, ca: ca.cert }, 45_000)).done).toBe(0);
		// When the certificate ends that was shown, where one was.
		expect(ends.map((end) => end !== null && end > Date.now())).toEqual([true, true, true, false]);
		chmodSync(client.key, 0o644);
		expect((await ask(`tls://127.0.0.1:${server.port}`, whole)).error).toContain("chmod o=");
		expect((await ask(`tls://127.0.0.1:${server.port}`, { ...whole, ca: "/nowhere.pem" })).error).toContain(
			"ENOENT",
		);
		const broken = `${client.cert}.broken`;
		writeFileSync(broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", { mode: 0o600 });
		for (const tls of [
			{ ...whole, ca: broken },
			{ ...whole, cert: broken },
			{ ...whole, key: broken },
		]) {
			const { done, error } = await ask(`tls://127.0.0.1:${server.port}`, tls);
			expect({ done, failed: error !== "" }).toEqual({ done: 0, failed: true });
		}
		expect(wrong.messages).toEqual([]);
		expect(server.messages).toHaveLength(1);
	});
});
