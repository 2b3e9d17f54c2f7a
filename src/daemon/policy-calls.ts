/** What the thread that reads policies answers (src/daemon/policy.worker.ts), beside what enforcers ask it. Plain data. */

import type { Config } from "../config/model.ts";
import type { Before, Told } from "../engine/generations/set-change.ts";
import type { PolicySettings, Reloaded, Wishes } from "../engine/reading.ts";
import type { Calls } from "../threads/rpc.ts";

export interface PolicyCalls extends Calls {
	/** Reads, parses and compiles. `anew`: what was answered the last time did not get where it was to go. */
	reload(argument: {
		readonly settings: PolicySettings;
		readonly wishes: Wishes;
		readonly anew: boolean;
	}): Reloaded;
	/** Reads and compiles only to be asked, where nothing was read by this thread yet. */
	recall(argument: { readonly settings: PolicySettings; readonly wishes: Wishes }): void;
	/** The last reload is in force: keep its documents as the last good ones. Returns an error text, or null. */
	keep(argument: null): string | null;
	/** What changed with the last reload, which is in force by now. `before`: what was in force before this thread began. */
	tellChange(argument: { readonly before: Before; readonly config: Config }): Told;
	/** Gives back the memory that work left behind; what was read stays. */
	rest(argument: null): void;
}

/** A copy of a set of policies, or every reason why it is not one to enforce. */
export type StagedPolicies =
	/** `lists`: how many lists of groups are a part of it. */
	| { readonly ok: true; readonly digest: string; readonly lists: number }
	| { readonly ok: false; readonly problems: readonly string[] };

/** src/daemon/policy.worker.ts, on a thread of its own: sets of policies that are not in force yet. */
export interface StagingCalls extends Calls {
	/**
	 * Copies the policies in `from` to the directory of the settings, on the disk, and reads them there. So are lists of
	 * groups that lie below `from` and are not as in the policy directory.
	 * `name` is what problems call the directory.
	 */
	stage(argument: {
		readonly from: string;
		readonly name: string;
		readonly settings: PolicySettings;
	}): StagedPolicies | Promise<StagedPolicies>;
	/** What a set means, however it is written; null where part of it cannot be read. */
	meaning(argument: {
		readonly directory: string;
		readonly checkPermissions: boolean;
		readonly ignoreUnknownKinds: boolean;
	}): string | null;
	/** Puts the file system of a directory on its disk, which may take a while. Returns an error text, or null. */
	sync(argument: { readonly directory: string }): string | null;
	/** See treeDigest; null where the directory cannot be read whole. `copy`: it is what `stage` wrote, lists included. */
	digest(argument: {
		readonly directory: string;
		readonly checkPermissions: boolean;
		readonly copy: boolean;
	}): Promise<string | null>;
}
