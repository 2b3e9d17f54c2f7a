/** Whether what is enforced is what is on disk: the answer of /readyz. Pure. */

import type { Diagnostic } from "../base/diagnostic.ts";
import type { Reading } from "../enforcers/contract/reading.ts";
import type { EnforcerReport } from "../report/contribution.ts";
import type { Readiness } from "../report/status.ts";

export interface ReadinessTrouble {
	/** Why the last attempt to enforce failed, or "". */
	readonly failure: string;
	/** Why what is in the policy directory is not what was to be enforced, or "": nobody confirmed it. */
	readonly complaint: string;
	/** Whether a change waits for its confirmation: it may be of another directory. */
	readonly pends: boolean;
}

/**
 * Ready is: what is in force is what is on disk, or its last good version.
 * @param reloaded `rules`: how many a set has that can be refused as a whole
 */
export function readiness(
	reloaded: (Reading & { readonly rules: number }) | null,
	enforcers: readonly Pick<EnforcerReport, "obstacle" | "remark">[],
	{ failure, complaint, pends }: ReadinessTrouble,
): Readiness {
	const obstacle = enforcers.map(({ obstacle }) => obstacle).find((text) => text !== "");
	if (obstacle !== undefined) return { ready: false, body: `not ready: ${obstacle}` };
	if (reloaded === null) return { ready: false, body: "not ready: the policies are being read" };
	if (failure !== "") return { ready: false, body: `not ready: the last reload failed: ${failure}` };
	if (complaint !== "") return { ready: false, body: `not ready: ${complaint}` };
	if (!reloaded.complete) {
		const broken = reloaded.documents.filter(
			(document) => document.origin === "none" && hasError(document.diagnostics),
		);
		const files = [...new Set(broken.map((document) => `${document.file}:${document.line}`))];
		// Where a set is refused before any was in force, its last good version is no rule at all.
		const something = reloaded.rules > 0 || !reloaded.documents.some((document) => document.selected);
		const covered = !reloaded.withheld && files.length === 0 && reloaded.lastGood && something;
		if (!covered)
			return {
				ready: false,
				body: `not ready: not enforced: ${files.slice(0, 10).join(", ") || "the set of policies"}`,
			};
	}
	if (reloaded.lastGood)
		return { ready: true, body: "ready: the last good version of what is broken on disk is enforced" };
	const remarks = enforcers.map(({ remark }) => remark).filter((text) => text !== "");
	const enforced = pends ? "a change waits for its confirmation" : "what is on disk is enforced";
	return { ready: true, body: `ready: ${remarks.join("; ") || enforced}` };
}

function hasError(diagnostics: readonly Diagnostic[]): boolean {
	return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}
