/** Interface names and prefixes, checked so that no text can end a quoted nftables string. */

import type { InterfaceMatch } from "./model.ts";

/** IFNAMSIZ (linux/if.h) is 16 with the final NUL. */
const longestName = 15;

/** The kernel forbids `/`, `:` and white space; the rest that is left out is what nftables might read. */
const plainName = /^[A-Za-z0-9_.@+-]+$/;

/** Whether an interface's name, or the beginning of one, can stand in a ruleset. */
export function isPlainInterface(name: string): boolean {
	return plainName.test(name) && name.length <= longestName;
}

/** A match, `"any"` for a lone `*`, or what is wrong and what to write. */
export type InterfaceResult =
	| { readonly ok: true; readonly match: InterfaceMatch | "any" }
	| { readonly ok: false; readonly message: string; readonly hint: string };

/**
 * Parses one `iface` element: a name, a prefix such as `eth*`, or `*`. The
 * kernel refuses names with `/`, `:` or white space, and `.` and `..`
 * (dev_valid_name in net/core/dev.c); quotes, backslashes and anything outside
 * printable ASCII are refused here as well.
 */
export function parseInterface(text: string): InterfaceResult {
	if (text === "*") return { ok: true, match: "any" };
	const prefix = text.endsWith("*");
	const name = prefix ? text.slice(0, -1) : text;
	if (name === "" || name === "." || name === "..") {
		return { ok: false, message: "this is not an interface name", hint: 'write a name such as "eth0"' };
	}
	if (name.includes("*")) {
		const hint = 'write a prefix such as "eth*", or list the names';
		return { ok: false, message: "* is understood only at the end of an interface name", hint };
	}
	if (!/^[\x21-\x7e]+$/.test(name) || /["'`\\/:]/.test(name)) {
		const message = "an interface name has no white space, quotes, slashes, colons or non-ASCII characters";
		return { ok: false, message, hint: 'write the name as "ip link" shows it' };
	}
	if (name.length > longestName) {
		const message = `an interface name has at most ${longestName} bytes, this one has ${name.length}`;
		return { ok: false, message, hint: 'write the name as "ip link" shows it' };
	}
	if (prefix && name.length === longestName) {
		return {
			ok: false,
			message: "no name can be longer than this prefix",
			hint: `leave out the *: "${name}"`,
		};
	}
	return { ok: true, match: { name, prefix } };
}
