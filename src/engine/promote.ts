/** Takes the annotation that stages a policy out of the text of its file; comments and form stay as they are. Pure. */

import { enforcing, modeAnnotation } from "../document/annotation.ts";
import type { Policy } from "../document/kind.ts";
import { parsePolicyFile } from "./parse.ts";

export type Promoted =
	| { readonly ok: true; readonly text: string }
	/** Why not, as a sentence that goes on after the file's name. */
	| { readonly ok: false; readonly reason: string };

/** @param names policies of the file that are staged @param text of a file without errors */
export function promoteText(file: string, text: string, names: ReadonlySet<string>): Promoted {
	const mark = text.startsWith("\ufeff") ? 1 : 0;
	const result = text.slice(0, mark) + enforcing(text.slice(mark), names);
	// Anchors and other forms of YAML may say it in a way that is not found.
	if (isPromotion(file, text, result, names)) return { ok: true, text: result };
	return { ok: false, reason: `write ${modeAnnotation}: enforced in it by hand` };
}

/** Whether the two texts say the same, but for these policies, which the second one has in force. */
function isPromotion(file: string, before: string, after: string, names: ReadonlySet<string>): boolean {
	const [was, is] = [parsePolicyFile(file, before), parsePolicyFile(file, after)];
	if (was.documents.length !== is.documents.length) return false;
	return was.documents.every((document, i) => {
		const now = is.documents[i];
		if (now === undefined) return false;
		if (document.policy === null || now.policy === null)
			return document.policy === now.policy && document.kind === now.kind;
		const named = names.has(document.policy.name);
		return saying(document.policy, named) === saying(now.policy, named) && !(named && now.policy.staged);
	});
}

/** A policy as text, without places. @param anyMode whether it is staged does not matter */
function saying(policy: Policy, anyMode: boolean): string {
	return JSON.stringify(policy, (key, value: unknown) => {
		if (key === "place" || (anyMode && key === "staged")) return undefined;
		return typeof value === "bigint" ? String(value) : value;
	});
}
