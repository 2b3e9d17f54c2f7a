import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import type { StatusDocument } from "../../../src/report/status.ts";
import { manyPolicies, sampleAlert, sampleSource, sampleState } from "../../report/sample.ts";
import { connect, eachServed, exchange, get, statusOf, until, url } from "./wire.ts";

// Conditions are waited for with deadlines of their own, which a busy machine may need.
setDefaultTimeout(180_000);

const start = eachServed();

describe("answers", () => {
	test("every route answers GET with security headers, and HEAD with the same headers alone", async () => {
		const { server } = await start();
		for (const path of ["/healthz", "/readyz", "/metrics", "/v1/status", "/v1/alerts", "/", "/nowhere"]) {
			const whole = await get(server.address, path);
			const head = await exchange(
				server.address,
				`HEAD ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
			);
			expect(statusOf(whole)).toBe(path === "/nowhere" ? 404 : 200);
			expect(head).toBe(whole.slice(0, whole.indexOf("\r\n\r\n") + 4));
			expect(whole).toContain("X-Content-Type-Options: nosniff\r\n");
			expect(whole).toContain("Content-Security-Policy: default-src 'none'");
			expect(whole).toContain("frame-ancestors 'none'");
			expect(whole).toContain("Cache-Control: no-store\r\n");
		}
	});

	test("after an answer of many megabytes alone, what it left behind is to be given back", async () => {
		let body = "x 1\n";
		let told = 0;
		const { server } = await start({
			...sampleSource().source,
			metrics: () => body,
			answeredMuch: () => void told++,
		});
		expect(await (await fetch(url(server, "/metrics"))).text()).toBe(body);
		expect(told).toBe(0);
		body = "x 1\n".repeat(1_250_000);
		expect(await (await fetch(url(server, "/metrics"))).text()).toHaveLength(5_000_000);
		expect(told).toBe(1);
	});

	test("HTTP/1.0 needs no Host, and gets one answer", async () => {
		const { server } = await start();
		const answer = await exchange(server.address, "GET /healthz HTTP/1.0\r\n\r\n");
		expect(statusOf(answer)).toBe(200);
		expect(answer).toEndWith("\r\n\r\nok\n");
		const named = "GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n";
		expect(statusOf(await exchange(server.address, named))).toBe(421);
	});

	test("readyz is 503 with the reason when not ready", async () => {
		const state = sampleState({ readiness: { ready: false, body: "nf_tables refused" } });
		const { server } = await start(sampleSource(() => state).source);
		const response = await fetch(url(server, "/readyz"));
		expect(response.status).toBe(503);
		expect(await response.text()).toBe("nf_tables refused\n");
		expect((await fetch(url(server, "/healthz"))).status).toBe(200);
	});

	test("what curl prints moves no cursor", async () => {
		const hostile = "a\x1b[2J\nb\u202e\u009b";
		const state = sampleState({ warnings: [hostile], readiness: { ready: false, body: hostile } });
		const { server } = await start(sampleSource(() => state).source);
		for (const path of ["/readyz", "/v1/status"]) {
			const text = await (await fetch(url(server, path))).text();
			expect(text).toMatch(/^[^\x00-\x1f\x7f-\x9f\u202e]+\n$/);
		}
		const status = (await (await fetch(url(server, "/v1/status"))).json()) as { warnings: string[] };
		expect(status.warnings).toEqual([hostile]);
	});

	test("alerts come newest first, filtered and limited", async () => {
		const { source, sink } = sampleSource();
		sink.publish([
			sampleAlert({ PolicyName: "a", Action: "Audit", Timestamp: 1 }),
			sampleAlert({ PolicyName: "b", Action: "Block", Timestamp: 2 }),
			sampleAlert({ PolicyName: "a", Action: "Block", Timestamp: 3 }),
		]);
		const { server } = await start(source);
		const times = async (query: string) => {
			const response = await fetch(url(server, `/v1/alerts${query}`));
			const body = (await response.json()) as { alerts: { Timestamp: number }[] };
			return body.alerts.map((alert) => alert.Timestamp);
		};
		expect(await times("")).toEqual([3, 2, 1]);
		expect(await times("?limit=2")).toEqual([3, 2]);
		expect(await times("?policy=a")).toEqual([3, 1]);
		expect(await times("?action=block&policy=a")).toEqual([3]);
		expect(await times("?limit=&policy=&action=")).toEqual([3, 2, 1]);
	});

	test.each([
		"limit=0",
		"limit=-1",
		"limit=x",
		"limit=1e3",
		"limit=99999999",
		"action=drop",
		"action=__proto__",
		"polcy=a",
		"limit=1&limit=2",
	])("alerts?%s is refused as JSON", async (query) => {
		const { server } = await start();
		const response = await fetch(url(server, `/v1/alerts?${query}`));
		expect(response.status).toBe(400);
		expect(Object.keys((await response.json()) as object)).toEqual(["error", "hint"]);
	});

	test("status pages: the whole up to 1000 policies, the first 1000 beyond, or what is asked for", async () => {
		let total = 1000;
		const { server } = await start(sampleSource(() => sampleState({ policies: manyPolicies(total) })).source);
		const asked = async (query: string) => {
			const response = await fetch(url(server, `/v1/status${query}`));
			const { page, policies } = (await response.json()) as StatusDocument;
			return { page, names: policies.map(({ name }) => name) };
		};
		expect(await asked("")).toMatchObject({ page: undefined, names: { length: 1000 } });
		expect(await asked("?limit=&offset=")).toMatchObject({ page: undefined });
		const list = (await asked("?limit=2&offset=998")).page?.list ?? "";
		expect(await asked("?limit=2&offset=998")).toEqual({
			page: { offset: 998, limit: 2, total: 1000, list },
			names: ["p998", "p999"],
		});
		expect(await asked("?offset=1000")).toMatchObject({ names: [], page: { limit: 1000, list } });
		total = 1001;
		const first = await asked("");
		expect(first).toMatchObject({ page: { offset: 0, limit: 1000, total: 1001 }, names: { length: 1000 } });
		expect(first.page?.list).not.toBe(list);
		expect(await asked("?offset=1000")).toMatchObject({ names: ["p1000"], page: { list: first.page?.list } });
	});

	test.each([
		["limit=0", "limit is not a whole number from 1 to 10000", "write limit=1000"],
		["limit=10001", "limit is not a whole number from 1 to 10000", "write limit=1000"],
		["offset=-1", "offset is not a whole number from 0 to 9999999", "write offset=1000"],
		["offset=1.5", "offset is not a whole number from 0 to 9999999", "write offset=1000"],
		["page=2", "unknown parameter", "use limit, offset"],
		["offset=1&offset=2", "offset is given twice", "give it once"],
	])("status?%s is refused with what to write", async (query, error, hint) => {
		const { server } = await start();
		const response = await fetch(url(server, `/v1/status?${query}`));
		expect(response.status).toBe(400);
		expect(await response.json()).toEqual({ error, hint });
	});

	test("a failing source is a 500 that tells nothing", async () => {
		const { source } = sampleSource(() => {
			throw new Error("secret /etc/shadow");
		});
		const { server, errors } = await start(source);
		const response = await fetch(url(server, "/v1/status"));
		expect(response.status).toBe(500);
		expect(await response.text()).not.toContain("secret");
		expect(errors).toHaveLength(1);
		expect((await fetch(url(server, "/healthz"))).status).toBe(200);
	});
});

describe("refusals", () => {
	test.each([
		["POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 405],
		["DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405],
		["OPTIONS / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 405],
		["GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 413],
		["GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413],
		["GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421],
		["GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 421],
		["GET / HTTP/1.1\r\n\r\n", 400],
		["GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505],
		[`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(9000)}\r\n\r\n`, 431],
		[`GET /${"a".repeat(100_000)}`, 431],
		["\x16\x03\x01\x02\x00\x01\r\n\r\n", 400],
	])("%j is %d and closes the connection", async (request, status) => {
		const { server } = await start();
		const response = await exchange(server.address, request);
		expect(statusOf(response)).toBe(status);
		expect(response).toContain("Connection: close\r\n");
		if (status === 405) expect(response).toContain("Allow: GET, HEAD\r\n");
	});
});

describe("bad input", () => {
	test("a refused client that goes on sending still reads its answer", async () => {
		const { server } = await start();
		const body = "x".repeat(3_000_000);
		const response = await exchange(
			server.address,
			`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
		);
		expect(statusOf(response)).toBe(405);
		expect(response).toEndWith("}\n");
	});

	test("a request that does not get done is answered 408, an idle connection ends without a word", async () => {
		const { server } = await start(undefined, { headTime: 200 });
		expect(statusOf(await exchange(server.address, "GET / HTTP/1.1\r\nHost: local"))).toBe(408);
		expect(await exchange(server.address, "")).toBe("");
	});

	test("no bytes bring the server down", async () => {
		const { server, errors } = await start(undefined, { headTime: 200 });
		const junk = fc.oneof(
			fc.uint8Array({ maxLength: 20_000 }),
			fc
				.string({ maxLength: 200 })
				.map((text) => Buffer.from(`GET /${text} HTTP/1.1\r\nHost: localhost\r\n\r\n`)),
		);
		await Promise.all(fc.sample(junk, 100).map((bytes) => exchange(server.address, bytes)));
		expect(statusOf(await get(server.address, "/healthz"))).toBe(200);
		await until(() => server.connections() === 0);
		expect(errors).toEqual([]);
	});
});

describe("connections", () => {
	test("carry several requests, also pipelined, up to the bound", async () => {
		const { server } = await start(undefined, { requestsPerConnection: 3 });
		const one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
		const response = await exchange(server.address, one.repeat(5));
		expect(response.split("HTTP/1.1 200 OK")).toHaveLength(4);
		expect(response.split("Connection: close")).toHaveLength(2);
	});

	test("a client that half-closes after its request still gets its answer", async () => {
		const { server } = await start();
		const socket = connect(server.address);
		let text = "";
		socket.on("data", (data) => {
			text += data.toString();
		});
		socket.on("connect", () => socket.end("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"));
		await until(() => text.includes("portward_drift_total"));
		await until(() => server.connections() === 0);
	});

	test("hundreds of clients that send a byte at a time are dropped, and healthz answers meanwhile", async () => {
		const { server } = await start(undefined, { headTime: 1500 });
		let closed = 0;
		const slow = Array.from({ length: 300 }, () => {
			const socket = connect(server.address);
			socket.on("connect", () => socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "));
			const timer = setInterval(() => socket.write("a"), 100);
			socket.on("close", () => {
				clearInterval(timer);
				closed++;
			});
			return socket;
		});
		await until(() => closed >= 300 - 128);
		expect(server.connections()).toBeLessThanOrEqual(128);
		const response = await get(server.address, "/healthz");
		expect(statusOf(response)).toBe(200);
		await until(() => closed === 300);
		expect(server.connections()).toBe(0);
		for (const socket of slow) socket.destroy();
	});

	test("clients that ask and never read are bounded in memory and time", async () => {
		const { source, sink } = sampleSource();
		sink.publish(Array.from({ length: 100 }, () => sampleAlert({ Message: "x".repeat(50_000) })));
		const { server } = await start(source, { answerTime: 5000, headTime: 5000, outstandingBytes: 1_000_000 });
		const clients = Array.from({ length: 40 }, () => {
			const socket = connect(server.address);
			socket.pause();
			socket.on("connect", () => socket.write("GET /v1/alerts HTTP/1.1\r\nHost: localhost\r\n\r\n"));
			return socket;
		});
		await until(() => server.connections() === 40);
		// Some answers went whole into the kernel; the others wait for their readers.
		expect(statusOf(await get(server.address, "/v1/alerts"))).toBe(503);
		expect(statusOf(await get(server.address, "/healthz"))).toBe(200);
		await until(() => server.connections() === 0);
		for (const socket of clients) socket.destroy();
	});

	test("an idle keep-alive connection is closed", async () => {
		const { server } = await start(undefined, { headTime: 300 });
		const response = await exchange(server.address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
		expect(response).toContain("Connection: keep-alive");
		await until(() => server.connections() === 0);
	});
});
