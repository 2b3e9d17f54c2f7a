/** Talks to the running daemon over its status address. */

import * as v from "valibot";

export type Reply =
	| { readonly ok: true; readonly response: Response }
	| { readonly ok: false; readonly message: string };

const unixPrefix = "unix:";

/** What every refusal of the daemon holds. */
const refusal = v.object({ error: v.string(), hint: v.string() });

/** GETs `path` from the daemon at `address` ("IP:port" or "unix:/path"). A refusal is a sentence for the operator. */
export async function get(address: string, path: string, signal: AbortSignal): Promise<Reply> {
	try {
		const response = address.startsWith(unixPrefix)
			? await fetch(`http://localhost${path}`, { unix: address.slice(unixPrefix.length), signal })
			: await fetch(`http://${address}${path}`, { signal });
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
