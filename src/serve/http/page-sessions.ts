/**
 * Links to the status page for a browser. A link's path holds for one use; it leaves a cookie that
 * holds until the link's own end. Only digests are kept, and no more than so many of them.
 */

import { createHash, randomBytes } from "node:crypto";
import { errorReply, type Reply } from "../../report/reply.ts";
import type { Request } from "./request.ts";

/** Milliseconds that a link and what came of it hold. */
export const pageLifetime = 12 * 3_600_000;

/** Links and cookies, each; the oldest makes room. */
const mostKept = 256;

const prefix = "/page/";
const tokenForm = /^[A-Za-z0-9_-]{43}$/;

/** Whether a path is that of a link, good or bad. */
export function isPagePath(path: string): boolean {
	return path.startsWith(prefix);
}

export class PageSessions {
	readonly #now: () => number;
	/** Ends of unused links, by digest. */
	readonly #links = new Map<string, number>();
	/** Ends of cookies, by digest. */
	readonly #cookies = new Map<string, number>();
	/**
	 * Browsers keep one jar for all ports of a name, and several hosts may be forwarded to localhost:
	 * a daemon's cookie has a name of its own.
	 */
	readonly cookieName = `portward_${randomBytes(6).toString("hex")}`;

	/** @param now milliseconds since the epoch */
	constructor(now: () => number = Date.now) {
		this.#now = now;
	}

	/** The path of a new link. */
	issue(): string {
		const token = newToken();
		keep(this.#links, token, this.#now() + pageLifetime);
		return `${prefix}${token}`;
	}

	/** Uses a link up. Null for one that is used, has ended, or never was; else its cookie and the seconds that it holds. */
	redeem(path: string): { readonly cookie: string; readonly seconds: number } | null {
		const token = path.slice(prefix.length);
		if (!isPagePath(path) || !tokenForm.test(token)) return null;
		const key = digest(token);
		const end = this.#links.get(key) ?? 0;
		this.#links.delete(key);
		const left = Math.floor((end - this.#now()) / 1000);
		if (left <= 0) return null;
		const cookie = newToken();
		keep(this.#cookies, cookie, end);
		return { cookie, seconds: left };
	}

	/** Whether one of the cookies of a Cookie header is of a link. */
	knows(header: string | undefined): boolean {
		if (header === undefined || this.#cookies.size === 0) return false;
		return header.split(";").some((pair) => {
			const [name = "", value = ""] = pair.trim().split("=", 2);
			return name === this.cookieName && (this.#cookies.get(digest(value)) ?? 0) > this.#now();
		});
	}

	/** Ends every link and cookie. @returns how many there were */
	revoke(): number {
		const now = this.#now();
		const held = [...this.#links.values(), ...this.#cookies.values()].filter((end) => end > now).length;
		this.#links.clear();
		this.#cookies.clear();
		return held;
	}
}

/**
 * The answer to a link. It is a page that goes on to the status page, no redirection: after that, browsers
 * send no SameSite=Strict cookie where the link stood on a page of another site.
 */
export function openingReply(pages: PageSessions, request: Request, secure: boolean): Reply {
	// What a program asks for ahead of its user must not use the link up.
	if (request.method === "HEAD") return opening({});
	const redeemed = pages.redeem(request.path);
	if (redeemed === null) {
		return errorReply(
			403,
			"this link has been used, has ended, or was revoked",
			"run portward page on the host, as root, for a new one",
		);
	}
	const attributes = `Path=/; Max-Age=${redeemed.seconds}; HttpOnly; SameSite=Strict${secure ? "; Secure" : ""}`;
	return opening({ "Set-Cookie": `${pages.cookieName}=${redeemed.cookie}; ${attributes}` });
}

function opening(headers: Readonly<Record<string, string>>): Reply {
	return {
		status: 200,
		type: "text/html; charset=utf-8",
		headers,
		body: `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/"><title>Portward</title></head>
<body><p><a href="/">The status page</a></p></body>
</html>
`,
	};
}

function newToken(): string {
	return randomBytes(32).toString("base64url");
}

function digest(token: string): string {
	return createHash("sha256").update(token, "latin1").digest("hex");
}

function keep(map: Map<string, number>, token: string, end: number): void {
	const [oldest] = map.keys();
	if (map.size >= mostKept && oldest !== undefined) map.delete(oldest);
	map.set(digest(token), end);
}
