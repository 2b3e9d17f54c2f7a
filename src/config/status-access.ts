/** Who may be let read the status over the network, from the settings alone. */

import type { Config } from "./model.ts";
import { isLocalAddress } from "./values.ts";

type StatusSettings = Config["status"];

export interface StatusRefusal {
	readonly message: string;
	readonly hint: string;
}

/** Why the status must not be served on its address; null when it may. */
export function statusRefusal(status: StatusSettings): StatusRefusal | null {
	const { address, tls, tokenFile } = status;
	if (isLocalAddress(address) || tls !== null || tokenFile !== null) return null;
	return {
		message: `the status would be readable by everybody who can reach ${address}, so it is not served there`,
		hint: "set status.tls (with clientCa, only clients with a certificate of it may read), or status.tokenFile, or listen on 127.0.0.1, [::1] or unix:/path",
	};
}

/** What is allowed, but should be known. */
export function statusWarnings(status: StatusSettings): readonly string[] {
	const { address, tls, tokenFile } = status;
	if (address.startsWith("unix:") && (tls !== null || tokenFile !== null)) {
		return [`status.tls and tokenFile count for TCP alone: ${address} is root's, and tells everything`];
	}
	if (isLocalAddress(address) || statusRefusal(status) !== null) return [];
	if (tls === null) {
		return [
			`the status endpoint on ${address} has no TLS: whoever can listen on the network reads the bearer token and the answers; set status.tls`,
		];
	}
	if (tls.clientCa !== null || tokenFile !== null) return [];
	return [
		`everybody who can reach the status endpoint on ${address} may read it; set status.tls.clientCa or status.tokenFile`,
	];
}

/** Whether the daemon opens its root-only socket: always, unless that is what the settings name. */
export function needsLocalSocket(status: Pick<StatusSettings, "address">, stateDirectory: string): boolean {
	return status.address !== `unix:${localStatusSocket(stateDirectory)}`;
}

/** Where the root-only socket with the whole status is. */
export function localStatusSocket(stateDirectory: string): string {
	return `${stateDirectory}/status.sock`;
}
