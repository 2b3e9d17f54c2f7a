/** The directories whose content a pending change becomes when it is confirmed. */

import { systemError } from "../../state/pending-files.ts";
import type { PendingChange, Takeover } from "../../state/pending-record.ts";
import { realDirectory } from "../../state/pending-replace.ts";
import type { PendingOptions } from "./pending-options.ts";

export class PendingTargets {
	readonly #options: Pick<PendingOptions, "config" | "stager" | "store">;

	constructor(options: Pick<PendingOptions, "config" | "stager" | "store">) {
		this.#options = options;
	}

	/** Whether changes of the policy directory have to be confirmed too; what was confirmed is then kept beside it. */
	get required(): boolean {
		return this.#options.config().confirm === "required";
	}

	/** The policy directory, and where it is kept, the copy of what was confirmed. @throws the system's error */
	async directories(): Promise<string[]> {
		const policyDir = await realDirectory(this.#options.config().policyDir);
		return this.required ? [policyDir, this.#options.store.snapshot] : [policyDir];
	}

	/** Which of them a change takes over, and where to keep what is there. @throws the system's error */
	async takeovers(change: PendingChange): Promise<Takeover[]> {
		const [policyDir, ...snapshot] = await this.directories();
		const takeovers = snapshot.map((target) => ({ target, keep: false }));
		if (change.source === "directory" || policyDir === undefined) return takeovers;
		// Somebody's work that came meanwhile is not thrown away.
		return [{ target: policyDir, keep: await this.differs(change) }, ...takeovers];
	}

	/** Whether the policy directory is not what it was when the change began. */
	async differs({ base }: Pick<PendingChange, "base">): Promise<boolean> {
		const { config, stager } = this.#options;
		return (await stager.digest(config().policyDir)) !== base;
	}

	/** Why the policy directory could not be replaced, or "": better known before a change than when it is confirmed. */
	async unfit(): Promise<string> {
		const probe = async () => this.#options.store.probe((await this.directories())[0] ?? "");
		return probe().then(() => "", systemError);
	}

	/** With `confirm: required`: what is to be said of what the policy directory holds. */
	async standing(): Promise<"confirmed" | "rejected" | "new"> {
		const { config, stager, store } = this.#options;
		const digest = await stager.digest(config().policyDir);
		if (digest === null) return "new";
		if (digest === (await stager.digest(store.snapshot))) return "confirmed";
		return digest === store.rejected() ? "rejected" : "new";
	}
}
