/** Answers as plain values, and their bytes on the wire. Pure. */

import { escapeForTerminal, escapeJson } from "../base/terminal.ts";

export interface Reply {
	readonly status: number;
	readonly type: string;
	/** Bytes where it is large: what makes them need not hold the text as well. */
	readonly body: string | Uint8Array;
	readonly headers?: Readonly<Record<string, string>>;
}

const reasons: Readonly<Record<number, string>> = {
	200: "OK",
	400: "Bad Request",
	401: "Unauthorized",
	403: "Forbidden",
	404: "Not Found",
	405: "Method Not Allowed",
	408: "Request Timeout",
	413: "Content Too Large",
	421: "Misdirected Request",
	431: "Request Header Fields Too Large",
	500: "Internal Server Error",
	503: "Service Unavailable",
	505: "HTTP Version Not Supported",
};

const textType = "text/plain; charset=utf-8";
export const jsonType = "application/json; charset=utf-8";

/** Sent with every answer; the page replaces the policy with one that allows its own style and script. */
const securityHeaders: Readonly<Record<string, string>> = {
	"Cache-Control": "no-store",
	"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy": "no-referrer",
	"X-Content-Type-Options": "nosniff",
	"X-Frame-Options": "DENY",
};

/** One line, whatever `body` holds: it may end up on a terminal. */
export function textReply(status: number, body: string): Reply {
	return { status, type: textType, body: `${escapeForTerminal(body)}\n` };
}

export function jsonReply(status: number, value: unknown): Reply {
	return { status, type: jsonType, body: `${escapeJson(JSON.stringify(value))}\n` };
}

/** `{error, hint}`: what is wrong with a request and what to send instead. */
export function errorReply(status: number, error: string, hint: string): Reply {
	return jsonReply(status, { error, hint });
}

function head(reply: Reply, extra: Readonly<Record<string, string>>): string {
	const headers = { ...securityHeaders, "Content-Type": reply.type, ...reply.headers, ...extra };
	const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
	return `HTTP/1.1 ${reply.status} ${reasons[reply.status] ?? "Unknown"}\r\n${lines.join("")}\r\n`;
}

export interface Framing {
	readonly headOnly: boolean;
	readonly keepAlive: boolean;
	/** Milliseconds since the epoch, for Date. */
	readonly now: number;
}

/** A body of more bytes than this is not copied behind its head, but sent after it. */
const largeBody = 65_536;

/** A whole answer with its length, in one part or in two. */
export function encodeReply(reply: Reply, framing: Framing): readonly Buffer[] {
	const { body: said } = reply;
	const body =
		typeof said === "string" ? Buffer.from(said) : Buffer.from(said.buffer, said.byteOffset, said.length);
	const start = Buffer.from(
		head(reply, {
			"Content-Length": String(body.length),
			Connection: framing.keepAlive ? "keep-alive" : "close",
			Date: new Date(framing.now).toUTCString(),
		}),
	);
	if (framing.headOnly) return [start];
	return body.length > largeBody ? [start, body] : [Buffer.concat([start, body])];
}

/** The beginning of an event stream, which ends with its connection. */
export function encodeStreamHead(now: number): Buffer {
	const reply = { status: 200, type: "text/event-stream; charset=utf-8", body: "" };
	return Buffer.from(head(reply, { Connection: "close", Date: new Date(now).toUTCString() }));
}
