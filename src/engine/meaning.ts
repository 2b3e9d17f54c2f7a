/** What policies mean, without where and how it is written: sets of equal texts mean the same on every host. */

import type { Policy } from "./parse.ts";

/** One text for a set: equal where comments, formatting, places and the order of documents alone differ. */
export function meaningText(policies: readonly Policy[]): string {
	return policies
		.map((policy) => JSON.stringify(policy, withoutPlace))
		.sort()
		.join("\n");
}

/** A label may be called "place", but is a text. */
function withoutPlace(key: string, value: unknown): unknown {
	if (key === "place" && typeof value === "object") return undefined;
	return typeof value === "bigint" ? String(value) : value;
}
