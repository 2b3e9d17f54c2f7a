/** The lists of groups that lie in a directory of policies, as these are taken along when it is copied. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { listLimits } from "../../base/cidr-list.ts";
import { groupPart } from "../../enforcers/network/model.ts";
import { groupKind } from "../../enforcers/network/parse/group.ts";
import { readFeedFile } from "../../source/feed-file.ts";
import { isPolicyFile } from "../../source/policy-walk.ts";
import { maxTreeBytes, type TreeFile } from "../../state/pending-tree.ts";
import { parsePolicyFile } from "../parse.ts";
import { isInside, signedPath } from "./feeds.ts";

export type ListsRead =
	| { readonly ok: true; readonly files: readonly TreeFile[] }
	| { readonly ok: false; readonly problems: readonly string[] };

/**
 * Reads the lists that the groups among `policies` name and that lie below `directory`. One that is not there is left
 * out, as it may lie where the policies will; one that must not be believed is a problem.
 * @param policies what was read of the directory
 */
export function listsBeside(
	directory: string,
	policies: readonly TreeFile[],
	options: { readonly checkPermissions: boolean },
): ListsRead {
	const files: TreeFile[] = [];
	const problems: string[] = [];
	let total = 0;
	for (const path of namedIn(policies)) {
		const file = join(directory, path);
		if (!existsSync(file)) continue;
		const read = readFeedFile(file, null, { ...options, limit: listLimits.bytes });
		if (read.state === "read") {
			total += read.bytes.length;
			// No more are read into the memory than may be taken.
			if (total > maxTreeBytes) {
				problems.push(
					`${directory}: the lists have more than ${maxTreeBytes} bytes, which a change may have`,
				);
				break;
			}
			files.push({ path, bytes: read.bytes });
		} else if (read.state === "failed") {
			problems.push(`${file}: ${read.problem.message}; ${read.problem.hint}`);
		}
	}
	return problems.length > 0 ? { ok: false, problems } : { ok: true, files };
}

/** Those that are not as they lie in another directory. */
export function listsUnlike(files: readonly TreeFile[], directory: string): readonly TreeFile[] {
	return files.filter(({ path, bytes }) => {
		const options = { checkPermissions: false, limit: listLimits.bytes };
		const there = readFeedFile(join(directory, path), null, options);
		return there.state !== "read" || !Buffer.from(there.bytes).equals(bytes);
	});
}

/** What the groups name below the directory, each once; hidden files are none of a set of policies. */
function namedIn(policies: readonly TreeFile[]): ReadonlySet<string> {
	const named = new Set<string>();
	for (const { path, bytes } of policies) {
		const text = new TextDecoder().decode(bytes);
		if (!isPolicyFile(path) || !text.includes(groupKind)) continue;
		for (const { policy } of parsePolicyFile(path, text, { ignoreUnknownKinds: true }).documents) {
			const feed = policy === null ? null : (groupPart.all([policy])[0]?.feed ?? null);
			if (feed === null) continue;
			const list = signedPath(path, feed);
			const hidden = list.split("/").some((part) => part.startsWith("."));
			if (isInside(list) && !hidden && !isPolicyFile(list)) named.add(list);
		}
	}
	return named;
}
