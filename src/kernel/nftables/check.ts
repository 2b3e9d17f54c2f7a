/**
 * What may stand in a ruleset's text. Everything that is written passes here once more, whoever made it: nothing can end
 * a quoted text, a line or an object, and nothing is longer than the kernel takes.
 */

/** Something that must not be written: a bug of who made it, or a state file that is not ours. */
export class UnwritableError extends Error {}

/** NFT_NAME_MAXLEN of linux/netfilter/nf_tables.h is 256 with the final NUL. */
const longestName = 255;
/** NFTNL_UDATA_COMMENT_MAXLEN of libnftnl, and NF_LOG_PREFIXLEN of linux/netfilter/nf_log.h: 128, with a NUL each. */
export const longestText = 127;

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Printable, without what nft reads in a quoted text. */
const quotable = /^[ !#-[\]-~]*$/;
/** What no line of a rule has, outside of quotes or within them. */
const unprintable = /[^ -~]|\\/;
/** What ends a command or begins a comment, and quotes and braces that are left when those that belong together are gone. */
const ending = /["#;]/;
const braces = /[{}]/;
/** Addresses, numbers, ranges and quoted names of interfaces, joined by dots. */
const notInKeys = /[^\w.:/@+ "\n-]/;

/** The name of a table or an object. */
export function checkedName(name: string): string {
	if (name.length > longestName || !plainName.test(name)) throw unwritable("a name", name);
	return name;
}

/** A text in quotes: a comment, a prefix of the log, the name of an interface. */
export function quoted(text: string, longest: number = longestText): string {
	if (text.length > longest || !quotable.test(text)) throw unwritable("a quoted text", text);
	return `"${text}"`;
}

/** The text of a rule, or the type of a key. */
export function checkedLine(text: string): string {
	const bare = text.includes('"') ? text.replaceAll(/"[^"]*"/g, "") : text;
	const open = braces.test(bare) && braces.test(bare.replaceAll(/\{[^{}]*\}/g, ""));
	if (open || unprintable.test(text) || ending.test(bare)) throw unwritable("a line", text);
	return text;
}

/** Keys of a set, one a line. */
export function checkedKeys(keys: string): string {
	const open = keys.includes('"') && keys.replaceAll(/"[\w.@+-]*"/g, "").includes('"');
	const empty = keys !== "" && (keys.startsWith("\n") || keys.endsWith("\n") || keys.includes("\n\n"));
	if (open || empty || notInKeys.test(keys) || keys.includes(" : ")) throw unwritable("keys", keys);
	return keys;
}

function unwritable(what: string, text: string): UnwritableError {
	return new UnwritableError(`not ${what} that can be written: ${JSON.stringify(text.slice(0, 200))}`);
}
