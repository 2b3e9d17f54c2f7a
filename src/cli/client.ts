/** Talks to the running daemon over its status address. */

export type Reply =
	| { readonly ok: true; readonly response: Response }
	| { readonly ok: false; readonly message: string };

const unixPrefix = "unix:";

/** GETs `path` from the daemon at `address` ("IP:port" or "unix:/path"). A refusal is a sentence for the operator. */
export async function get(address: string, path: string, signal: AbortSignal): Promise<Reply> {
	try {
		const response = address.startsWith(unixPrefix)
			? await fetch(`http://localhost${path}`, { unix: address.slice(unixPrefix.length), signal })
			: await fetch(`http://${address}${path}`, { signal });
		if (response.ok) return { ok: true, response };
		return { ok: false, message: `the daemon at ${address} answered ${response.status}` };
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		return {
			ok: false,
			message: `no daemon answers at ${address} (${reason}); is portward running, and is this its status.address?`,
		};
	}
}
