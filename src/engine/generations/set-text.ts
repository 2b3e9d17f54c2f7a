/** The text of a set of policies that is in force, as far as the next one is compared with it. Plain data. */

import { join } from "node:path";
import { digest } from "../../base/digest.ts";
import type { Kinds, Policy } from "../../document/kind.ts";
import { isBroken, type ParsedDocument, parseOneDocument } from "../../document/parse.ts";
import type { EnforcedDocument } from "../collection.ts";
import { concernsGroups, Groups, hasFeed, listsRead } from "../groups/groups.ts";

export interface SavedDocument {
	/** In the policy directory. */
	readonly path: string;
	readonly index: number;
	readonly firstLine: number;
	readonly source: string;
}

export interface SetText {
	/** A name of the whole. */
	readonly digest: string;
	/** Of every file, by its path; null where there are too many. */
	readonly files: Readonly<Record<string, string>> | null;
	/** Null where the set is too large to be compared, or what its groups read is not in it. */
	readonly documents: readonly SavedDocument[] | null;
}

/** Characters of policies that are kept, and that parse within a moment. */
const mostText = 64 * 1024;
const mostFiles = 2000;

export const noText: SetText = { digest: digest(), files: {}, documents: [] };

export function setText(inForce: readonly EnforcedDocument[]): SetText {
	const byPath = Map.groupBy(inForce, ({ path }) => path);
	const lists = listsRead(inForce.map(({ document }) => document));
	const files = [...byPath].map(([path, documents]): [string, string] => [
		path,
		digest(
			...documents.map(({ document: { source } }) => source),
			...documents.flatMap(({ document }) => lists.get(document) ?? []),
		),
	]);
	const feeds = inForce.some(({ document }) => hasFeed(document));
	const length = inForce.reduce((sum, { document }) => sum + document.source.length, 0);
	return {
		digest: digest(...files.flat()),
		files: files.length > mostFiles ? null : Object.fromEntries(files),
		documents:
			length > mostText || files.length > mostFiles || feeds
				? null
				: inForce.map(({ path, document: { index, firstLine, source } }) => ({
						path,
						index,
						firstLine,
						source,
					})),
	};
}

/** The policies that the text says; what this version cannot read any more is not among them. */
export function policiesOf(documents: readonly SavedDocument[], directory: string, kinds: Kinds): Policy[] {
	const read = documents.flatMap(
		({ path, index, firstLine, source }) =>
			parseOneDocument(join(directory, path), source, firstLine, index, kinds) ?? [],
	);
	return linked(read, directory).flatMap((document) =>
		document.policy === null || isBroken(document) ? [] : [document.policy],
	);
}

function linked(documents: readonly ParsedDocument[], directory: string): readonly ParsedDocument[] {
	if (!documents.some(concernsGroups)) return documents;
	const groups = new Groups({ directory, origin: directory, checkPermissions: true });
	const { known } = groups.resolve(documents, null);
	return documents.map((document) => groups.link(document, known));
}
