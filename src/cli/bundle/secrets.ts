/** What must not be in a bundle in any case: files are named alone, and what may stand in texts is taken out. Pure. */

import { formatCidr } from "../../base/cidr.ts";
import type { Cidr } from "../../base/model.ts";
import type { Config } from "../../config/model.ts";

export const leftOut = "[left out]";

/** Names of settings whose values would be secrets, if they were no paths. */
const secretName = /token|secret|password|passphrase|credential|authorization|key$/i;

/** Shorter ones let nobody in, and would take what looks like them out of every other path. */
const shortestSecret = 8;

/** Up to where texts end one, or go on after it, or where its secret was taken out. */
const urlText = /\bhttps?:\/\/(?:(?!\[left)[^\s"'`<>\\,;])*(?!\[left)[^\s"'`<>\\,;:.)]/gi;

/** A URL by which one is let in is a secret below its host, as those of chat services are. */
function shownUrl(text: string): string {
	if (!URL.canParse(text)) return leftOut;
	const { origin, pathname, search, username, password, hash } = new URL(text);
	const below = pathname + search + hash;
	return below === "/" && username + password === "" ? text : `${origin}/${leftOut}`;
}

function isCidr(value: unknown): value is Cidr {
	return typeof value === "object" && value !== null && "base" in value && typeof value.base === "bigint";
}

/** The settings as values, without what is secret in them. Files are named, and not read. */
export function shownSettings(config: Config): unknown {
	const walk = (value: unknown, name: string): unknown => {
		if (Array.isArray(value)) return value.map((each) => walk(each, name));
		if (isCidr(value)) return formatCidr(value);
		if (typeof value === "object" && value !== null)
			return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, walk(each, key)]));
		if (typeof value !== "string") return value;
		if (name === "url") return shownUrl(value);
		return secretName.test(name) && !value.startsWith("/") ? leftOut : value;
	};
	return walk(config, "");
}

/** Takes secrets out of any text: of URLs what is below their hosts, keys in PEM, and bearer tokens. */
export function withoutSecrets(text: string, { alerts }: Pick<Config, "alerts">): string {
	let clean = text
		.replace(/-----BEGIN [A-Z0-9 ]+-----[\s\S]*?-----END [A-Z0-9 ]+-----/g, leftOut)
		.replace(/\b(Bearer|Basic|Splunk)\s+[\w.~+/-]{8,}=*/gi, `$1 ${leftOut}`);
	for (const { url } of alerts.sinks) {
		if (url === null || !URL.canParse(url)) continue;
		const { pathname, search } = new URL(url);
		for (const part of [`${pathname}${search}`, pathname, search])
			if (part.length >= shortestSecret) clean = clean.replaceAll(part, `/${leftOut}`);
	}
	// Also those of settings that are no longer so.
	return clean.replace(urlText, shownUrl);
}
