/** Interface names and prefixes, checked so that no text can end a quoted nftables string. */

import type { InterfaceMatch } from "../base/model.ts";
import { describeTemplate } from "./template.ts";

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
	const meant = explain(text);
	if (meant !== null) return { ok: false, ...meant };
	const prefix = text.endsWith("*");
	const name = prefix ? text.slice(0, -1) : text;
	if (name === "" || name === "." || name === "..") {
		return { ok: false, message: "this is not an interface name", hint: 'write a name such as "eth0"' };
	}
	if (name.includes("*")) {
		const hint = 'write a prefix such as "eth*", or list the names';
		return { ok: false, message: "* is understood only at the end of an interface name", hint };
	}
	if (!plainName.test(name)) {
		const message = "an interface name has letters, digits and _ . - @ + alone";
		return { ok: false, message, hint: 'write the name as "ip link" shows it, up to its @' };
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

/** What other tools take for a name and no interface bears; null for the rest. */
function explain(text: string): { readonly message: string; readonly hint: string } | null {
	const template = describeTemplate(text);
	if (template !== null) return template;
	if (/^(any|all|every|everything|\+)$/i.test(text))
		return { message: "no interface has this name", hint: "leave it out to match every interface" };
	const parts = text.split(/[\s,;|]+/).filter((part) => part !== "");
	if (/[,;|]/.test(text) && parts.every((part) => plainName.test(part.replace(/\*$/, ""))))
		return { message: "this is a list in one text", hint: `write ${JSON.stringify(parts)}` };
	const [only = ""] = parts;
	if (only !== text && only === text.trim() && /^[\w.*-]+$/.test(only))
		return { message: "there is white space around the name", hint: `write ${JSON.stringify(only)}` };
	if (/^(!|not\s|-)/i.test(text))
		return {
			message: "a name cannot be negated",
			hint: "list the interfaces that are meant, or use a prefix",
		};
	const [, link = "", parent] = /^([\w.*+-]+)@(.*)$/.exec(text) ?? [];
	if (parent !== undefined) {
		const message = `"ip link" shows the name with what it stands on after the @`;
		return { message, hint: `write ${JSON.stringify(link)}` };
	}
	if (/^[\w.-]+\+$/.test(text))
		return { message: "a + is iptables' sign for a prefix", hint: `write "${text.slice(0, -1)}*"` };
	const [, label = ""] = /^([\w.-]+):\d*$/.exec(text) ?? [];
	if (label !== "")
		return { message: "packets bear the name without what follows the colon", hint: `write "${label}"` };
	if (/[?[\]{}()^$]/.test(text))
		return {
			message: "of patterns only a * at the end is understood",
			hint: 'write a prefix such as "eth*", or list the names',
		};
	if (/^\d+\.\d+\.\d+\.\d+/.test(text) || text.includes("::"))
		return { message: "this is an address", hint: "write it in from or to: [{ipBlock: {cidr: ADDRESS}}]" };
	return null;
}
