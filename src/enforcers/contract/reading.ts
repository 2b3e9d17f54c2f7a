/** What a reading of the policies found, as far as every enforcer may know it. Plain data. */

import type { Diagnostic } from "../../base/diagnostic.ts";
import type { Action } from "../../base/model.ts";

/** One document of the policy directory, for status and metrics. */
export interface DocumentReport {
	readonly name: string;
	readonly kind: string;
	readonly file: string;
	readonly line: number;
	readonly selected: boolean;
	readonly enforced: boolean;
	/** It is not to be in force but to be judged beside what is, as the version says that stands. */
	readonly mode?: "staged";
	/** `last-good`: the version on disk is broken, an earlier one is in force. */
	readonly origin: "current" | "last-good" | "none";
	readonly action: Action | null;
	readonly diagnostics: readonly Diagnostic[];
}

export interface Reading {
	readonly documents: readonly DocumentReport[];
	/** Everything found, files without documents and the directory itself included. */
	readonly diagnostics: readonly Diagnostic[];
	/** False when something on disk is neither enforced nor stood in for by its last good version. */
	readonly complete: boolean;
	/** True when a last good version stands in for something. */
	readonly lastGood: boolean;
	/** No set could be compiled, or none may be enforced: what was in force stays. */
	readonly withheld: boolean;
}
