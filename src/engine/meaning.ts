/** What policies mean, without where and how it is written: sets of equal texts mean the same on every host. */

import { createHash } from "node:crypto";
import type { Policy } from "../document/kind.ts";
import { isBroken } from "../document/parse.ts";
import { isPolicyFile } from "../source/policy-walk.ts";
import { readTree } from "../state/pending-tree.ts";
import { parsePolicyFile } from "./parse.ts";

/** What a directory of policies means, in short; null where part of it cannot be read. */
export function meaningOf({
	directory,
	...options
}: {
	readonly directory: string;
	readonly checkPermissions: boolean;
	readonly ignoreUnknownKinds: boolean;
}): string | null {
	const read = readTree(directory, options);
	if (!read.ok) return null;
	const policies: Policy[] = [];
	for (const { path, bytes } of read.files) {
		if (!isPolicyFile(path)) continue;
		const { documents, syntaxBroken } = parsePolicyFile(path, new TextDecoder().decode(bytes), options);
		if (syntaxBroken || documents.some(isBroken)) return null;
		policies.push(...documents.flatMap(({ policy }) => policy ?? []));
	}
	return createHash("sha256").update(meaningText(policies)).digest("hex");
}

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
