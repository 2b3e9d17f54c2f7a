/** Talks to the running daemon over its status address. */

import { X509Certificate } from "node:crypto";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import * as v from "valibot";
import type { Config } from "../../config/model.ts";
import { stoppedDaemon } from "../stopped-daemon.ts";
import { connectionError, reach } from "./reach.ts";
import { type StatusTarget, statusTarget } from "./status-target.ts";

/** What of a response is asked for. */
export type Answer = Pick<Response, "text" | "bytes" | "body" | "headers">;

export interface Wish {
	/** The answer goes on until one of both has enough, and only its beginning is bounded. */
	readonly endless?: boolean;
	/** A type that the daemon may answer with instead of JSON; one that does not know it gives JSON. */
	readonly accept?: string;
}

export type Reply =
	| { readonly ok: true; readonly response: Answer }
	| {
			readonly ok: false;
			readonly message: string;
			/** Nobody listens where the settings say: the daemon does not run. */
			readonly absent?: true;
	  };

const unixPrefix = "unix:";

/** Milliseconds in which an answer must begin, and in which one that has an end must have ended. */
const beginMs = 10_000;
const endMs = 60_000;

/** What every refusal of the daemon holds. */
const refusal = v.object({ error: v.string(), hint: v.string() });

/** GETs `path` from the daemon that has these settings. `named`: its address comes from the command line. */
export async function ask(
	config: Config,
	named: boolean,
	path: string,
	signal: AbortSignal,
	wish: Wish = {},
): Promise<Reply> {
	const found = statusTarget(config, { named, root: process.getuid?.() === 0 });
	if (!found.ok) return found;
	const { address } = found.target;
	const reached = await reach(address, signal);
	if (reached.ok) return await get(found.target, path, signal, wish);
	const absent = reached.kind === "refused" && !named;
	const message = absent
		? `${stoppedDaemon(config)} (${address}: ${reached.message})`
		: `no daemon answers at ${address}: ${reached.message}; is portward running, and is this its status.address?`;
	return absent ? { ok: false, message, absent } : { ok: false, message };
}

/** GETs `path` from the daemon, in bounded time. A refusal is a sentence for the operator. */
export async function get(
	target: StatusTarget,
	path: string,
	signal: AbortSignal,
	{ endless = false, accept }: Wish = {},
): Promise<Reply> {
	const { address } = target;
	const headers: Record<string, string> = accept === undefined ? {} : { accept };
	const late = new AbortController();
	const bound = AbortSignal.any([signal, late.signal]);
	const beginning = setTimeout(() => late.abort(), beginMs);
	const end = endless ? null : setTimeout(() => late.abort(), endMs);
	end?.unref();
	let begun = false;
	try {
		const response = address.startsWith(unixPrefix)
			? await fetch(`http://localhost${path}`, {
					unix: address.slice(unixPrefix.length),
					headers,
					signal: bound,
				})
			: await fetchTcp(target, path, headers, bound);
		clearTimeout(beginning);
		begun = true;
		if (response.ok) return { ok: true, response: endless ? response : await whole(response) };
		const told = v.safeParse(refusal, parseJson(await response.text()));
		const why = told.success ? `: ${told.output.error}; ${told.output.hint}` : "";
		return {
			ok: false,
			message: `what listens at ${address} answered ${response.status}${why}`,
		};
	} catch (error) {
		const why = late.signal.aborted
			? `it took the question and has no ${begun ? "whole " : ""}answer after ${(begun ? endMs : beginMs) / 1000} s; does the daemon hang?`
			: `${connectionError(error)}; is portward running, and is this its status.address?`;
		return { ok: false, message: `no daemon answers at ${address}: ${why}` };
	} finally {
		clearTimeout(beginning);
		if (end !== null) clearTimeout(end);
	}
}

/**
 * Read to its end, so that nobody meets an answer that is cut. It is no response of its own again: of very many flows it
 * may be tens of megabytes, and each copy takes a tenth of a second.
 */
async function whole(response: Response): Promise<Answer> {
	const { headers } = response;
	const bytes = await response.bytes();
	return {
		headers,
		body: null,
		bytes: () => Promise.resolve(bytes),
		text: () => Promise.resolve(new TextDecoder().decode(bytes)),
	};
}

function fetchTcp(
	{ address, cert, token }: StatusTarget,
	path: string,
	asked: Readonly<Record<string, string>>,
	signal: AbortSignal,
): Promise<Response> {
	const headers = token === null ? asked : { ...asked, authorization: `Bearer ${token}` };
	if (cert === null) return fetch(`http://${address}${path}`, { headers, signal });
	const own = new X509Certificate(cert);
	// What the daemon's own file holds is trusted, whoever signed it, and nothing else.
	const tls = {
		ca: cert,
		allowPartialTrustChain: true,
		rejectUnauthorized: true,
		// Reached over another name than it has, it is still the daemon's own certificate.
		checkServerIdentity: (host: string, shown: PeerCertificate) =>
			own.raw.equals(shown.raw) ? undefined : checkServerIdentity(host, shown),
	};
	return fetch(`https://${address}${path}`, { headers, signal, tls });
}

/** The value that `text` stands for; undefined when it is no JSON. */
export function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

export function errorText(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
