/** Has the ruleset that is in force saved for the next boot, once it is confirmed. */

import type { Config } from "../../../config/model.ts";
import type { WorkerClient } from "../../../threads/rpc.ts";
import type { BootFacts } from "../../contract/enforcer.ts";
import type { RulesetForm } from "../compile/plan.ts";
import type { NftCalls } from "./calls.ts";

export interface BootSaverOptions {
	readonly config: () => Config;
	readonly nft: Pick<WorkerClient<NftCalls>, "call">;
	/** Whether what is in force is to outlive this boot. */
	readonly confirmed: () => boolean;
	readonly warn: (message: string) => void;
}

export class BootSaver {
	readonly #options: BootSaverOptions;
	#problem = "";

	constructor(options: BootSaverOptions) {
		this.#options = options;
	}

	/** The last attempt failed: the next boot would begin with what was saved before. */
	get failed(): boolean {
		return this.#problem !== "";
	}

	/**
	 * To be called after every success. What is not confirmed is not saved, and the thread that holds it lets it go.
	 * @param form null where packets are not filtered.
	 * @param kept what other enforcers keep.
	 */
	async save(form: RulesetForm | null, kept: BootFacts): Promise<void> {
		const { config, nft, confirmed, warn } = this.#options;
		const { table, nflogGroup, stateDir } = config();
		const facts = { stateDirectory: stateDir, table, nflogGroup, form: form ?? "concatenated", kept };
		const request = confirmed() ? { ...facts, filtered: form !== null } : null;
		const problem = (await nft.call("saveBoot", request)) ?? "";
		// Told when it begins or changes, not at every attempt.
		if (problem !== "" && problem !== this.#problem)
			warn(
				`the ruleset could not be saved for the next boot, which would begin with the one before: ${problem}`,
			);
		this.#problem = problem;
	}
}
