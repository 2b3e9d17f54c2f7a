/** What has to be known and copied before a change of policies can pend. */

import { randomBytes } from "node:crypto";
import { systemError } from "../../state/pending-files.ts";
import { newChange, type PendingChange } from "../../state/pending-record.ts";
import type { PendingOptions } from "./pending-options.ts";
import { stateOf } from "./pending-stager.ts";
import type { PendingTargets } from "./pending-targets.ts";

/** A change that somebody asks for. */
export interface AskedChange extends Pick<PendingChange, "source" | "from" | "seconds" | "asker"> {
	/** Where its policies are; `from` is what they are a copy of. */
	readonly directory: string;
}

export type Prepared =
	| {
			readonly ok: true;
			readonly change: PendingChange;
			/** It differs in comments and formatting alone from what is in force. */
			readonly onlyForm: boolean;
	  }
	/** There is nothing to begin; `refused` says why, null where nothing changes. A copy may have to be forgotten. */
	| {
			readonly ok: false;
			readonly refused: string | null;
			readonly copy: PendingChange | Pick<PendingChange, "id"> | null;
	  };

/** Copies the policies, holds them against what is in force, and writes down that they pend. Nothing is put in force. */
export async function prepareChange(
	options: Pick<PendingOptions, "store" | "stager" | "boot" | "clock" | "config">,
	targets: PendingTargets,
	{ directory, from, source, seconds, asker }: AskedChange,
): Promise<Prepared> {
	const { store, stager, boot, clock, config } = options;
	const unfit = source === "apply" ? await targets.unfit() : "";
	if (unfit !== "") {
		const refused = `nothing is changed, as it could not be confirmed: ${unfit}`;
		return { ok: false, refused, copy: null };
	}
	const id = randomBytes(8).toString("hex");
	const staged = await stager.stage(directory, from, stateOf(store.policies(id)));
	if (!staged.ok) {
		const refused = ["nothing is changed, as not all of it is right:", ...staged.problems].join("\n");
		return { ok: false, refused, copy: { id } };
	}
	const base = await stager.digest(config().policyDir);
	const inForce = targets.required ? store.snapshot : config().policyDir;
	if (staged.digest === (targets.required ? await stager.digest(inForce) : base))
		return { ok: false, refused: null, copy: { id } };
	const change = newChange({ id, source, from, asker, boot, seconds, base, digest: staged.digest }, clock());
	const unwritten = await store.write(change).then(() => "", systemError);
	if (unwritten !== "") {
		const refused = `nothing is changed, as that a change is pending cannot be written down: ${unwritten}`;
		return { ok: false, refused, copy: change };
	}
	const onlyForm = staged.lists === 0 && (await stager.sameMeaning(inForce, store.policies(id)));
	return { ok: true, change, onlyForm };
}
