/** Whether somebody listens where a command is about to ask, found out in bounded time. */

import net from "node:net";
import { isLocalAddress } from "../../config/values.ts";

/** Milliseconds for a connection on this host, where the kernel makes it at once or never, and to another. */
const localMs = 1000;
const remoteMs = 5000;

export type Reached =
	| { readonly ok: true }
	/** `refused`: nobody listens there. `silent`: nothing came back at all. */
	| { readonly ok: false; readonly kind: "refused" | "silent" | "other"; readonly message: string };

const unixPrefix = "unix:";

/** Connects to IP:port or unix:/path, and hangs up. Never throws. */
export function reach(address: string, signal: AbortSignal): Promise<Reached> {
	const local = isLocalAddress(address);
	const { promise, resolve } = Promise.withResolvers<Reached>();
	const socket = net.connect(optionsOf(address));
	const settle = (reached: Reached) => {
		clearTimeout(timer);
		socket.destroy();
		resolve(reached);
	};
	const timer = setTimeout(
		() => settle({ ok: false, kind: "silent", message: silence(local) }),
		local ? localMs : remoteMs,
	);
	signal.addEventListener("abort", () => settle({ ok: false, kind: "other", message: "interrupted" }), {
		once: true,
	});
	socket.on("connect", () => settle({ ok: true }));
	socket.on("error", (error) => settle(refusal(error)));
	return promise;
}

/** What went wrong with a connection, in words; the runtime's own would ask about computers and urls. */
export function connectionError(error: unknown): string {
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	const known = Object.hasOwn(words, code) ? words[code] : undefined;
	if (known !== undefined) return known;
	const text = error instanceof Error ? error.message : String(error);
	return text.replace(/\s*(?:Is the computer able to access the url\?|For more information.*)/u, "");
}

const words: Readonly<Record<string, string>> = {
	ECONNREFUSED: "nobody listens there",
	ConnectionRefused: "nobody listens there",
	FailedToOpenSocket: "nobody listens there",
	ENOENT: "there is no such socket",
	EACCES: "only root may ask there",
	EAGAIN: "too many others ask there",
	ENETUNREACH: "the network cannot be reached",
	EHOSTUNREACH: "the host cannot be reached",
	ECONNRESET: "the connection was cut off",
	ConnectionClosed: "the connection was cut off",
};

/** Whether nobody listens there: the daemon does not run, or not there. */
export function isAbsent(error: unknown): boolean {
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	return code === "ECONNREFUSED" || code === "ENOENT";
}

function refusal(error: unknown): Reached {
	return { ok: false, kind: isAbsent(error) ? "refused" : "other", message: connectionError(error) };
}

function silence(local: boolean): string {
	return local
		? "nothing comes back, not even a refusal: does another firewall drop loopback? As root the command asks without it"
		: "nothing comes back: does a firewall on the way drop this?";
}

function optionsOf(address: string): net.NetConnectOpts {
	if (address.startsWith(unixPrefix)) return { path: address.slice(unixPrefix.length) };
	const end = address.lastIndexOf(":");
	return { host: address.slice(0, end).replace(/^\[|\]$/gu, ""), port: Number(address.slice(end + 1)) };
}
