import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { maxHeadBytes, type ParseResult, parseRequest } from "../../../src/serve/http/request.ts";

const parse = (text: string): ParseResult => parseRequest(Buffer.from(text, "latin1"));
const get = (target: string, headers = "Host: h\r\n") => `GET ${target} HTTP/1.1\r\n${headers}\r\n`;

describe("requests that are taken", () => {
	test("the parts of a request", () => {
		const text = "GET /v1/alerts?limit=1&a=?b HTTP/1.1\r\nhOsT:  h:1 \t\r\nX-Empty:\r\n\r\nrest";
		expect(parse(text)).toEqual({
			kind: "request",
			request: {
				method: "GET",
				path: "/v1/alerts",
				query: "limit=1&a=?b",
				host: "h:1",
				authorization: null,
				keepAlive: true,
				hasBody: false,
			},
			bytes: text.length - 4,
		});
	});

	test("an empty line before a request is forgiven", () => {
		expect(parse(`\r\n${get("/")}`)).toMatchObject({ kind: "request", bytes: get("/").length + 2 });
		expect(parse("\r\n\r\n\r\n")).toMatchObject({ kind: "bad" });
	});

	test.each([
		["HTTP/1.1", "", true],
		["HTTP/1.1", "Connection: close\r\n", false],
		["HTTP/1.1", "Connection: Upgrade, CLOSE\r\n", false],
		["HTTP/1.0", "", false],
		["HTTP/1.0", "Connection: keep-alive\r\n", true],
	])("%s %j keeps the connection: %p", (version, header, keepAlive) => {
		expect(parse(`GET / ${version}\r\nHost: h\r\n${header}\r\n`)).toMatchObject({ request: { keepAlive } });
	});

	test.each([
		["Content-Length: 0\r\n", false],
		["Content-Length: 1\r\n", true],
		["Transfer-Encoding: chunked\r\n", true],
		["Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", true],
	])("%j has a body: %p", (header, hasBody) => {
		expect(parse(get("/", `Host: h\r\n${header}`))).toMatchObject({ request: { hasBody } });
	});

	test("HTTP/1.0 knows no Host header", () => {
		expect(parse("GET / HTTP/1.0\r\n\r\n")).toMatchObject({ request: { host: null } });
		expect(parse("GET / HTTP/1.0\r\nHost: h\r\n\r\n")).toMatchObject({ request: { host: "h" } });
		expect(parse("GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n")).toMatchObject({ status: 400 });
		expect(parse("GET / HTTP/1.0\r\nHost:\r\n\r\n")).toMatchObject({ request: { host: "" } });
	});

	test("credentials are taken once", () => {
		const header = "Host: h\r\nAuthorization: Bearer x\r\n";
		expect(parse(get("/", header))).toMatchObject({ request: { authorization: "Bearer x" } });
		expect(parse(get("/", `${header}authorization: Bearer y\r\n`))).toMatchObject({ status: 400 });
	});

	test("the types that are wanted are all told", () => {
		expect(parse(get("/", "Host: h\r\nAccept: a/b\r\naccept: c/d;q=0.1\r\n"))).toMatchObject({
			request: { accept: "a/b, c/d;q=0.1" },
		});
	});

	test("an absolute target names the host, whatever the header says", () => {
		expect(parse(get("http://real.example?x"))).toMatchObject({
			request: { path: "/", query: "x", host: "real.example" },
		});
		expect(parse(get("HTTP://[::1]:80/a"))).toMatchObject({ request: { path: "/a", host: "[::1]:80" } });
	});
});

describe("requests that are refused", () => {
	test.each([
		["bare line feeds", "GET / HTTP/1.1\nHost: h\n\r\n\r\n"],
		["a lone carriage return in a value", get("/", "Host: h\r\nX: a\rb\r\n")],
		["a line feed in a value", get("/", "Host: h\r\nX: a\nb\r\n")],
		["folding", get("/", "Host: h\r\nX: a\r\n b\r\n")],
		["space before the colon", get("/", "Host : h\r\n")],
		["a header without a colon", get("/", "Host: h\r\nnothing\r\n")],
		["a header without a name", get("/", "Host: h\r\n: x\r\n")],
		["a zero byte", get("/", "Host: h\r\nX: \0\r\n")],
		["no Host", get("/", "")],
		["two Hosts", get("/", "Host: h\r\nHost: h\r\n")],
		["two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"],
		["a tab", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"],
		["lower-case http", "GET / http/1.1\r\nHost: h\r\n\r\n"],
		["no version", "GET /\r\nHost: h\r\n\r\n"],
		["a target without a slash", get("v1")],
		["a star", get("*")],
		["an authority", get("h:80")],
		["another scheme", get("https://h/")],
		["a fragment", get("/#a")],
		["raw bytes in the target", get("/\xe9")],
		["a negative length", get("/", "Host: h\r\nContent-Length: -1\r\n")],
		["two lengths", get("/", "Host: h\r\nContent-Length: 0\r\nContent-Length: 0\r\n")],
		["a list of lengths", get("/", "Host: h\r\nContent-Length: 0, 0\r\n")],
		["a hexadecimal length", get("/", "Host: h\r\nContent-Length: 0x0\r\n")],
	])("%s is 400", (_, text) => expect(parse(text)).toMatchObject({ kind: "bad", status: 400 }));

	test("other versions are 505", () => {
		expect(parse("PRI * HTTP/2.0\r\n\r\n")).toMatchObject({ kind: "bad", status: 505 });
		expect(parse("GET / HTTP/1.2\r\nHost: h\r\n\r\n")).toMatchObject({ kind: "bad", status: 505 });
	});

	test("too many headers, or too long a head, are 431, finished or not", () => {
		expect(parse(get("/", "A: b\r\n".repeat(65)))).toMatchObject({ kind: "bad", status: 431 });
		expect(parse(get("/", `Host: h\r\nA: ${"b".repeat(maxHeadBytes)}\r\n`))).toMatchObject({ status: 431 });
		expect(parse("G".repeat(maxHeadBytes))).toEqual({ kind: "incomplete" });
		expect(parse("G".repeat(maxHeadBytes + 1))).toMatchObject({ kind: "bad", status: 431 });
	});
});

const pieces = fc.constantFrom(
	"GET",
	"HEAD",
	" ",
	"/",
	"?a=b",
	"HTTP/1.1",
	"HTTP/1.0",
	"\r\n",
	"\r",
	"\n",
	"Host",
	":",
	"h",
	"\0",
	"\t",
	"Content-Length",
	"Transfer-Encoding",
	"chunked",
	"0",
	"-1",
	"http://",
	"#",
	"\xff",
	"Connection",
	"close",
	"a".repeat(500),
);
const junk = fc.oneof(
	fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
	fc.array(pieces, { maxLength: 60 }).map((parts) => Buffer.from(parts.join(""), "latin1")),
	fc.tuple(fc.array(pieces, { maxLength: 8 }), fc.nat(40)).map(([parts, at]) => {
		const valid = get("/path?q", "Host: h\r\nX: y\r\n");
		return Buffer.from(valid.slice(0, at) + parts.join("") + valid.slice(at), "latin1");
	}),
);

describe("any bytes", () => {
	test("never throw, and what is taken is well-formed", () => {
		fc.assert(
			fc.property(junk, (bytes) => {
				const result = parseRequest(bytes);
				if (result.kind !== "request") return;
				expect(result.bytes).toBeLessThanOrEqual(bytes.length);
				expect(result.request.path).toMatch(/^\/[\x21-\x7e]*$/);
				expect(result.request.path + result.request.query + result.request.host).not.toMatch(/[\r\n\0]/);
				expect(result.request.method).toMatch(/^[!-~]{1,32}$/);
			}),
			{ numRuns: 2000 },
		);
	});

	test("give the same result however they are cut", () => {
		fc.assert(
			fc.property(junk, fc.array(fc.nat(300), { maxLength: 6 }), (bytes, cuts) => {
				let searched = 0;
				for (const cut of [...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length]) {
					const result = parseRequest(Uint8Array.from(bytes.subarray(0, cut)), searched);
					searched = cut;
					if (result.kind === "incomplete") continue;
					expect(parseRequest(bytes)).toEqual(result);
					return;
				}
				expect(parseRequest(bytes)).toEqual({ kind: "incomplete" });
			}),
			{ numRuns: 1000 },
		);
	});
});
