/** Values of a node selector that miss this host by what people get wrong: case, domain, quotes, a word for all. */

import { quote } from "./suggest.ts";

/** What to say about a value that nearly selects. */
export interface NearMiss {
	readonly message: string;
	readonly hint: string;
}

const quotes = /["'`\u00ab\u00bb\u2018-\u201f\u2039\u203a]/g;
const wordsForAll = /^(all|any|every|everything|everyone|hosts?|nodes?|\.\*|%)$/i;

/**
 * Why `wanted`, which does not match the label's `value`, was probably meant
 * to; null when it looks like another host. `hostname`: lists and `*` are
 * understood, by `matches`.
 */
export function nearMiss(
	wanted: string,
	value: string,
	hostname: boolean,
	matches: (wanted: string, value: string) => boolean,
): NearMiss | null {
	const bare = wanted.replace(quotes, "").trim();
	const shown = `this host has ${quote(value)} there, and the policy says ${quote(wanted)}`;
	const hint = `write ${quote(value)}`;
	if (bare !== wanted && matches(bare, value))
		return {
			message: `${shown}: quotes and spaces around a value are a part of it`,
			hint: `write ${quote(bare)}`,
		};
	if (matches(bare.toLowerCase(), value.toLowerCase()))
		return { message: `${shown}: upper and lower case differ`, hint };
	if (wordsForAll.test(bare) || (!hostname && bare === "*")) {
		const any = hostname ? 'write "*"' : 'select by host name: kubernetes.io/hostname: "*"';
		return {
			message: `${shown}, which is a value like any other and does not mean all`,
			hint: `${any} to select every host`,
		};
	}
	return hostname ? otherDomain(bare, value, shown) : null;
}

/** `web-1` and `web-1.example.org`, either way round. */
function otherDomain(list: string, value: string, shown: string): NearMiss | null {
	const host = value.toLowerCase();
	for (const name of list
		.toLowerCase()
		.split(",")
		.map((part) => part.trim())) {
		const [first = ""] = name.split(".", 1);
		if (first === "" || first !== host.split(".", 1)[0] || name.includes("*")) continue;
		if (!host.includes("."))
			return {
				message: `${shown}: this host's name has no domain`,
				hint: `write ${quote(value)}, or "${first},${name}" for both`,
			};
		if (name === first)
			return {
				message: `${shown}: this host's name has a domain`,
				hint: `write ${quote(value)}, or "${first}.*" for any domain`,
			};
		return { message: `${shown}: the domains differ`, hint: `write ${quote(value)}` };
	}
	return null;
}
