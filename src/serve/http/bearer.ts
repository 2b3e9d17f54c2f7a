/** Bearer tokens (RFC 6750): what one looks like, and whether a request carries the right one. Pure. */

import { createHash, timingSafeEqual } from "node:crypto";

/** Characters of the shortest token: 32 of base64 hold 192 bits. */
const shortestToken = 32;
const longestToken = 1024;

interface NoToken {
	readonly ok: false;
	readonly message: string;
	readonly hint: string;
}

/** The token that a file holds; line ends around it are no part of it. */
export function parseToken(content: string): { readonly ok: true; readonly token: string } | NoToken {
	const token = content.trim();
	if (token.length < shortestToken) {
		const message = `the token has ${token.length} characters, fewer than ${shortestToken}`;
		return { ok: false, message, hint };
	}
	if (token.length > longestToken || !/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
		return { ok: false, message: "the token is not one word of letters, digits and ._~+/-", hint };
	}
	return { ok: true, token };
}

const hint = "write one line of at least 32 letters and digits, such as the output of openssl rand -hex 32";

function digest(text: string): Buffer {
	return createHash("sha256").update(text, "latin1").digest();
}

export class Bearer {
	readonly #digest: Buffer;

	private constructor(token: string) {
		this.#digest = digest(token);
	}

	/** Reads the content of a token file. */
	static parse(content: string): { readonly ok: true; readonly bearer: Bearer } | NoToken {
		const parsed = parseToken(content);
		return parsed.ok ? { ok: true, bearer: new Bearer(parsed.token) } : parsed;
	}

	/** Whether an Authorization header carries the token. Takes the same time however much of it is right. */
	accepts(authorization: string | null): boolean {
		const given = /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
		// Digests have one length, and how many of their bytes agree tells nothing about the token.
		return timingSafeEqual(digest(given), this.#digest);
	}
}
