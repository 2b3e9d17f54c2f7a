/** What reading a policy directory takes and gives. Plain data: it crosses threads. */

import type { Config } from "../config/model.ts";
import type { SentParts } from "../enforcers/contract/enforcer.ts";
import type { Reading } from "../enforcers/contract/reading.ts";
import type { FeedReport } from "./groups/feeds.ts";
import type { TestReport } from "./testing/gate.ts";

export interface PolicySettings {
	readonly directory: string;
	readonly stateDirectory: string;
	readonly checkPermissions: boolean;
	readonly hostname: string;
	readonly config: Config;
}

/** What the running half of each enforcer needs to be compiled for it, by its name. */
export type Wishes = Readonly<Record<string, unknown>>;

/** `signed`: what was signed before. `unknown`: what was in force before, and nobody can tell whether it was signed. */
export type SignatureStanding = "signed" | "unknown" | "none";

/** What became of a policy directory that has to be signed. */
export interface SignatureReport {
	/** Whether the directory is what a trusted key signed, and no older than what was in force before. */
	readonly ok: boolean;
	/** Its serial, where the signature is good; null where it is not. */
	readonly offered: number | null;
	/** The highest serial that was in force before; null when there was none, or nobody can tell. */
	readonly accepted: number | null;
	/** Why the directory is refused; null when it is not. */
	readonly problem: string | null;
	/** What to do about it; "" where nothing is wrong. */
	readonly remedy: string;
	/** What stands in for a directory that is refused; null where it is not. */
	readonly standing: SignatureStanding | null;
}

export interface Reloaded extends Reading {
	/** Null where no signature is required. */
	readonly signature: SignatureReport | null;
	/** Null where no tests lie beside the policies. */
	readonly tests: TestReport | null;
	/** The files of groups of addresses. */
	readonly feeds: readonly FeedReport[];
	readonly nodeLabels: Readonly<Record<string, string>>;
	/** Characters that this Worker has parsed in its life, and that a new one would have to parse. */
	readonly parsed: { readonly ever: number; readonly present: number };
	/** What each enforcer is to put in force. */
	readonly sent: SentParts;
}
