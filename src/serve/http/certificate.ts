/** What the server's PEM files hold, checked before they are used. Pure. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { canonicalIp } from "./address.ts";

export interface ServerTls {
	/** PEM: the server's certificate, then those that signed it. */
	readonly cert: string;
	/** PEM, without a passphrase. */
	readonly key: string;
	/** PEM: who must have signed a client's certificate. Null: clients need none. */
	readonly clientCa: string | null;
	/** DNS names and addresses of the certificate, lower case; a name may begin with `*.`. */
	readonly names: readonly string[];
	/** When the certificate ends, in milliseconds since the epoch. */
	readonly expires: number;
}

export type TlsResult =
	| { readonly ok: true; readonly tls: ServerTls }
	| {
			readonly ok: false;
			readonly which: "cert" | "key" | "clientCa";
			readonly message: string;
			readonly hint: string;
	  };

function parse(pem: string): X509Certificate | null {
	try {
		return new X509Certificate(pem);
	} catch {
		return null;
	}
}

/** Checks that the certificate can be read, that the key is its own, and that there is a CA to check clients with. */
export function readServerTls(cert: string, key: string, clientCa: string | null): TlsResult {
	const parsed = parse(cert);
	if (parsed === null) {
		const hint = "write the certificate in PEM, beginning with -----BEGIN CERTIFICATE-----";
		return { ok: false, which: "cert", message: "holds no certificate that can be read", hint };
	}
	let own = false;
	try {
		own = parsed.checkPrivateKey(createPrivateKey(key));
	} catch {
		const hint = "write the key in PEM and without a passphrase, such as openssl genpkey makes it";
		return { ok: false, which: "key", message: "holds no private key that can be read", hint };
	}
	if (!own) {
		const hint = "name the key that the certificate was made with";
		return { ok: false, which: "key", message: "is not the key of the certificate", hint };
	}
	if (clientCa !== null && parse(clientCa) === null) {
		const hint = "write the CA's certificate in PEM";
		return { ok: false, which: "clientCa", message: "holds no certificate that can be read", hint };
	}
	const names = namesOf(parsed.subjectAltName ?? "");
	return { ok: true, tls: { cert, key, clientCa, names, expires: Date.parse(parsed.validTo) } };
}

/** The server's own certificate and the one that signs those of clients, and when they end in milliseconds since the epoch. */
export function certificatesOf(
	server: "status" | "kubearmor-api",
	{ expires, clientCa }: Pick<ServerTls, "expires" | "clientCa">,
): { readonly name: string; readonly expires: number }[] {
	const ca = clientCa === null ? null : parse(clientCa);
	return [
		{ name: server, expires },
		...(ca === null ? [] : [{ name: `${server}-client-ca`, expires: Date.parse(ca.validTo) }]),
	];
}

/** "DNS:a.example, IP Address:192.0.2.1" as a list. Names that hold anything unusual match no Host header anyway. */
function namesOf(alternatives: string): string[] {
	return alternatives.split(", ").flatMap((item) => {
		const name = /^(?:DNS|IP Address):([A-Za-z0-9.:*_-]+)$/.exec(item)?.[1];
		return name === undefined ? [] : [canonicalIp(name.toLowerCase()) ?? name.toLowerCase()];
	});
}
