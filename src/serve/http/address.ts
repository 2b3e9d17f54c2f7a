/** Where the server listens, and which Host headers it answers to. Pure. */

import ipaddr from "ipaddr.js";

export type ListenAddress =
	| { readonly kind: "tcp"; readonly host: string; readonly port: number }
	| { readonly kind: "unix"; readonly path: string };

export type AddressResult =
	| { readonly ok: true; readonly address: ListenAddress }
	| { readonly ok: false; readonly message: string; readonly hint: string };

/** sun_path holds 108 bytes with its terminating zero (unix(7)). */
const maxSocketPath = 107;

const hint =
	"write IP:PORT such as 127.0.0.1:9755, [IPv6]:PORT such as [::1]:9755, or unix:/run/portward.sock";

function failure(message: string): AddressResult {
	return { ok: false, message, hint };
}

/** An address as it is compared; null for what is none. */
export function canonicalIp(text: string): string | null {
	if (ipaddr.IPv4.isValidFourPartDecimal(text)) return text;
	if (text.includes("%") || !ipaddr.IPv6.isValid(text)) return null;
	return ipaddr.IPv6.parse(text).toRFC5952String();
}

/** Reads `status.address`. Port 0 lets the kernel choose. */
export function parseListenAddress(text: string): AddressResult {
	if (text.startsWith("unix:")) {
		const path = text.slice("unix:".length);
		if (!path.startsWith("/")) return failure("the path of a unix socket must be absolute");
		if (path.includes("\0")) return failure("the path of a unix socket holds a zero byte");
		if (Buffer.byteLength(path) > maxSocketPath) {
			return failure(`the path of a unix socket is longer than ${maxSocketPath} bytes`);
		}
		return { ok: true, address: { kind: "unix", path } };
	}
	const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
	const literal = match?.[1] ?? match?.[2];
	if (match === null || literal === undefined) return failure("not an address with a port");
	const port = Number(match[3]);
	if (port > 65535) return failure(`port ${port} is not in 0..65535`);
	const host = canonicalIp(literal);
	if (host === null || host.includes(":") !== (match[1] !== undefined)) {
		return failure("not an IP address (names are not looked up)");
	}
	return { ok: true, address: { kind: "tcp", host, port } };
}

/** `IP:PORT`, `[IPv6]:PORT` or `unix:PATH`. */
export function formatListenAddress(address: ListenAddress): string {
	if (address.kind === "unix") return `unix:${address.path}`;
	return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** The host of a Host header without its port, lower case, IPv6 without brackets; null when malformed. */
function hostOf(header: string): { readonly host: string; readonly bracketed: boolean } | null {
	const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(header);
	if (match === null || Number(match[3] ?? 0) > 65535) return null;
	const bracketed = match[1] !== undefined;
	const host = (match[1] ?? match[2] ?? "").toLowerCase();
	return { host: bracketed ? host : host.replace(/\.$/, ""), bracketed };
}

/** Whether a certificate for `names` is one for `host`; `*.` stands for one label (RFC 6125, 6.4.3). */
function namesMatch(names: readonly string[], host: string): boolean {
	const parent = host.replace(/^[^.]+/, "*");
	return names.includes(host) || (parent.startsWith("*.") && names.includes(parent));
}

/**
 * Whether a request for `header` may be answered. A web page elsewhere can point a
 * name of its own at this address (DNS rebinding) and would read the answers; its
 * requests carry that name, as browsers always send one. The port is not compared:
 * it differs behind ssh -L. `names`: those of the server's certificate.
 */
export function hostAllowed(
	header: string | null,
	bound: ListenAddress,
	hostname: string,
	names: readonly string[] = [],
): boolean {
	if (bound.kind === "unix" || header === null) return true;
	const parsed = hostOf(header);
	if (parsed === null) return false;
	const { host, bracketed } = parsed;
	const ip = canonicalIp(host);
	if (ip === null) {
		const own = host === "localhost" || host === hostname.toLowerCase() || namesMatch(names, host);
		return !bracketed && own;
	}
	if (ip.includes(":") !== bracketed) return false;
	if (names.includes(ip)) return true;
	if (ip === bound.host || ip === "::1" || ip.startsWith("127.")) return true;
	return bound.host === "0.0.0.0" || bound.host === "::";
}
