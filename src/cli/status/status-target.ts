/** Where a command asks the running daemon, and with what. */

import { readFileSync } from "node:fs";
import type { Config } from "../../config/model.ts";
import { localStatusSocket, statusRefusal } from "../../config/status-access.ts";
import { parseToken } from "../../serve/http/bearer.ts";

export interface StatusTarget {
	/** IP:port or unix:/path. */
	readonly address: string;
	/** PEM: the daemon's certificate, where it speaks TLS. */
	readonly cert: string | null;
	readonly token: string | null;
}

export type TargetResult =
	| { readonly ok: true; readonly target: StatusTarget }
	| { readonly ok: false; readonly message: string };

export interface Asker {
	/** Whether the address was given on the command line, which is then asked whatever the settings say. */
	readonly named: boolean;
	readonly root: boolean;
}

/** Root asks on its own socket, which is there whatever becomes of the network; others need what the settings name. */
export function statusTarget({ status, stateDir }: Config, { named, root }: Asker): TargetResult {
	const { address, tls, tokenFile, detail } = status;
	const plain = { cert: null, token: null };
	if (address.startsWith("unix:")) return { ok: true, target: { address, ...plain } };
	if (!named && root) {
		return { ok: true, target: { address: `unix:${localStatusSocket(stateDir)}`, ...plain } };
	}
	const closed = statusRefusal(status) !== null || detail === "metrics-only" || Boolean(tls?.clientCa);
	if (!named && closed) {
		return {
			ok: false,
			message: `${address} does not answer this; ask as root, on ${localStatusSocket(stateDir)}`,
		};
	}
	try {
		const cert = tls === null ? null : readFileSync(tls.cert, "latin1");
		if (tokenFile === null) return { ok: true, target: { address, cert, token: null } };
		const parsed = parseToken(readFileSync(tokenFile, "latin1"));
		if (!parsed.ok) return { ok: false, message: `${tokenFile}: ${parsed.message}; ${parsed.hint}` };
		return { ok: true, target: { address, cert, token: parsed.token } };
	} catch (error) {
		const text = error instanceof Error ? error.message : String(error);
		return { ok: false, message: `what status needs cannot be read: ${text}; ask as root` };
	}
}
