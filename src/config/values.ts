/** Values that several settings share, with what to write in place of a wrong one. */

import * as v from "valibot";
import { parseAddress } from "../base/cidr.ts";

export const absolutePath = v.pipe(
	v.string("write an absolute path"),
	v.check((text) => text.startsWith("/") && !text.includes("\0"), "write an absolute path, starting with /"),
	v.maxLength(4096, "write a path of at most 4096 characters"),
);

export function whole(least: number, most: number) {
	const hint = `write a whole number from ${least} to ${most}`;
	return v.pipe(v.number(hint), v.integer(hint), v.minValue(least, hint), v.maxValue(most, hint));
}

/** Whether a text is where a server may listen: IP:port, [IPv6]:port or unix:/path. */
export function isListenAddress(text: string): boolean {
	// sun_path holds 108 bytes with the final NUL (unix(7)).
	if (text.startsWith("unix:")) return /^unix:\/[\x21-\x7e]{1,106}$/.test(text);
	const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(text);
	if (parts === null || Number(parts[3]) > 65535) return false;
	const address = parseAddress(parts[1] ?? parts[2] ?? "");
	return "family" in address && (address.family === 6) === (parts[1] !== undefined);
}

/** The path of an address that is a unix socket, or null. */
export function socketPath(address: string | null): string | null {
	return address?.startsWith("unix:") ? address.slice("unix:".length) : null;
}

/** Whether only this host can connect: a Unix socket, 127.0.0.0/8 or ::1. */
export function isLocalAddress(address: string): boolean {
	if (address.startsWith("unix:")) return true;
	const host = /^\[([^\]]*)\]:\d+$/.exec(address)?.[1] ?? address.replace(/:\d+$/, "");
	const parsed = parseAddress(host);
	if (!("family" in parsed)) return false;
	return parsed.family === 4 ? parsed.value >> 24n === 127n : parsed.value === 1n;
}
