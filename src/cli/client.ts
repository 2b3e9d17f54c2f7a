/** Talks to the running daemon over its status address. */

import { X509Certificate } from "node:crypto";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import * as v from "valibot";
import type { Config } from "../config/model.ts";
import { type StatusTarget, statusTarget } from "./status-target.ts";

export type Reply =
	| { readonly ok: true; readonly response: Response }
	| { readonly ok: false; readonly message: string };

const unixPrefix = "unix:";

/** What every refusal of the daemon holds. */
const refusal = v.object({ error: v.string(), hint: v.string() });

/** GETs `path` from the daemon that has these settings. `named`: its address comes from the command line. */
export async function ask(config: Config, named: boolean, path: string, signal: AbortSignal): Promise<Reply> {
	const found = statusTarget(config, { named, root: process.getuid?.() === 0 });
	return found.ok ? await get(found.target, path, signal) : found;
}

/** GETs `path` from the daemon. A refusal is a sentence for the operator. */
export async function get(target: StatusTarget, path: string, signal: AbortSignal): Promise<Reply> {
	const { address } = target;
	try {
		const response = address.startsWith(unixPrefix)
			? await fetch(`http://localhost${path}`, { unix: address.slice(unixPrefix.length), signal })
			: await fetchTcp(target, path, signal);
		if (response.ok) return { ok: true, response };
		const told = v.safeParse(refusal, parseJson(await response.text()));
		const why = told.success ? `: ${told.output.error}; ${told.output.hint}` : "";
		return { ok: false, message: `what listens at ${address} answered ${response.status}${why}` };
	} catch (error) {
		return {
			ok: false,
			message: `no daemon answers at ${address} (${errorText(error)}); is portward running, and is this its status.address?`,
		};
	}
}

function fetchTcp(
	{ address, cert, token }: StatusTarget,
	path: string,
	signal: AbortSignal,
): Promise<Response> {
	const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
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
