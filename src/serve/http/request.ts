/**
 * A strict reader of HTTP/1.x request heads (RFC 9112). It takes what a GET or HEAD
 * needs and refuses the rest: no bodies, no folding, no bare line feeds. Pure.
 */

export interface Request {
	readonly method: string;
	/** The path as sent, percent-encoding and all, without the query. */
	readonly path: string;
	/** What follows the first `?`; "" when there is none. */
	readonly query: string;
	/** The host the client wants: of an absolute target, else of the Host header. Null: HTTP/1.0 without one. */
	readonly host: string | null;
	/** The Authorization header; null without one. */
	readonly authorization: string | null;
	/** What the client sent as cookies; absent where it sent none. */
	readonly cookie?: string;
	/** The types that it wants; absent where it said nothing of them. */
	readonly accept?: string;
	/** Whether the connection may carry another request. */
	readonly keepAlive: boolean;
	/** Whether a body follows, which this server never reads. */
	readonly hasBody: boolean;
}

export type ParseResult =
	| { readonly kind: "incomplete" }
	/** The connection must close after this answer. */
	| { readonly kind: "bad"; readonly status: 400 | 431 | 505; readonly reason: string }
	| { readonly kind: "request"; readonly request: Request; readonly bytes: number };

/** Bytes of a request line with all its headers. */
export const maxHeadBytes = 8192;
const maxHeaders = 64;

const methodPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/;
const headerPattern = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;
const targetPattern = /^[\x21-\x7e]+$/;

function bad(status: 400 | 431 | 505, reason: string): ParseResult {
	return { kind: "bad", status, reason };
}

/** Where the blank line that ends the head begins, counted from `from`; -1 when it has not arrived. */
function findEnd(bytes: Uint8Array, from: number): number {
	for (let at = Math.max(from, 0); at + 3 < bytes.length; at++) {
		if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at;
	}
	return -1;
}

/** A client may send an empty line before a request (RFC 9112, 2.2); one is forgiven. */
function leadingBlank(bytes: Uint8Array): number {
	return bytes[0] === 13 && bytes[1] === 10 ? 2 : 0;
}

/**
 * Reads one request head from the beginning of `bytes`. `searched`: how many bytes
 * an earlier call on a shorter prefix found incomplete.
 */
export function parseRequest(bytes: Uint8Array, searched = 0): ParseResult {
	const start = leadingBlank(bytes);
	const end = findEnd(bytes, Math.max(start, searched - 3));
	const headBytes = end < 0 ? bytes.length : end + 4;
	if (headBytes > maxHeadBytes) return bad(431, "request head is larger than 8 KiB");
	if (end < 0) return { kind: "incomplete" };
	const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
	const [requestLine = "", ...headerLines] = text.split("\r\n");
	if (headerLines.length > maxHeaders) return bad(431, `more than ${maxHeaders} headers`);
	const headers = parseHeaders(headerLines);
	if (headers === null) return bad(400, "malformed header");
	return parseHead(requestLine, headers, headBytes);
}

/** Header values by lower-case name, in order; null when a line is malformed. */
function parseHeaders(lines: readonly string[]): Map<string, string[]> | null {
	const headers = new Map<string, string[]>();
	for (const line of lines) {
		const match = headerPattern.exec(line);
		const name = match?.[1]?.toLowerCase();
		const value = match?.[2];
		if (name === undefined || value === undefined) return null;
		const values = headers.get(name);
		if (values === undefined) headers.set(name, [value.trimEnd()]);
		else values.push(value.trimEnd());
	}
	return headers;
}

interface Target {
	readonly path: string;
	readonly query: string;
	/** Null for the usual target that begins with a slash. */
	readonly authority: string | null;
}

function parseTarget(target: string): Target | null {
	if (!targetPattern.test(target) || target.includes("#")) return null;
	const absolute = /^http:\/\/([^/?]*)(.*)$/i.exec(target);
	const authority = absolute?.[1] ?? null;
	const rest = absolute === null ? target : (absolute[2] ?? "");
	if (authority === null && !rest.startsWith("/")) return null;
	const mark = rest.indexOf("?");
	const path = mark < 0 ? rest : rest.slice(0, mark);
	return { path: path === "" ? "/" : path, query: mark < 0 ? "" : rest.slice(mark + 1), authority };
}

/** Null when Content-Length is not one plain number: a sign of request smuggling (RFC 9112, 6.3). */
function bodyFollows(headers: ReadonlyMap<string, readonly string[]>): boolean | null {
	if (headers.has("transfer-encoding")) return true;
	const lengths = headers.get("content-length");
	if (lengths === undefined) return false;
	const [length = ""] = lengths;
	if (lengths.length > 1 || !/^\d{1,15}$/.test(length)) return null;
	return Number(length) > 0;
}

function parseHead(
	line: string,
	headers: ReadonlyMap<string, readonly string[]>,
	bytes: number,
): ParseResult {
	const parts = line.split(" ");
	const [method = "", rawTarget = "", version = ""] = parts;
	if (parts.length !== 3 || !methodPattern.test(method)) return bad(400, "malformed request line");
	if (!/^HTTP\/\d\.\d$/.test(version)) return bad(400, "malformed request line");
	if (version !== "HTTP/1.1" && version !== "HTTP/1.0")
		return bad(505, "only HTTP/1.0 and HTTP/1.1 are spoken");
	const target = parseTarget(rawTarget);
	if (target === null) return bad(400, "malformed request target");
	const hosts = headers.get("host") ?? [];
	const [host = null] = hosts;
	// HTTP/1.0 knows no Host header. No browser speaks it, so no web page can ask without one.
	if (hosts.length > 1 || (host === null && version !== "HTTP/1.0")) {
		return bad(400, "exactly one Host header is needed");
	}
	const credentials = headers.get("authorization") ?? [];
	if (credentials.length > 1) return bad(400, "at most one Authorization header is taken");
	const hasBody = bodyFollows(headers);
	if (hasBody === null) return bad(400, "malformed Content-Length");
	const options = (headers.get("connection") ?? [])
		.join(",")
		.toLowerCase()
		.split(/[\s,]+/);
	const keepAlive = version === "HTTP/1.1" ? !options.includes("close") : options.includes("keep-alive");
	const cookies = headers.get("cookie");
	const accept = headers.get("accept");
	const { path, query, authority } = target;
	return {
		kind: "request",
		request: {
			method,
			path,
			query,
			host: authority ?? host,
			authorization: credentials[0] ?? null,
			...(cookies === undefined ? {} : { cookie: cookies.join("; ") }),
			...(accept === undefined ? {} : { accept: accept.join(", ") }),
			keepAlive,
			hasBody,
		},
		bytes,
	};
}
