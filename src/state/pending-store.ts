/**
 * What a pending change is on disk, and how it becomes the content of the
 * policy directory. The record says what was decided before anything is done
 * about it, so whoever finds it after a crash finishes just that.
 */

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type FileOperations, systemError } from "./pending-files.ts";
import {
	changeDirectory,
	incomingDirectory,
	type PendingChange,
	type PendingRead,
	readRecord,
	recordPath,
	snapshotDirectory,
	type Takeover,
} from "./pending-record.ts";
import { probeReplacement, Replacement, tidyBeside } from "./pending-replace.ts";
import { readState } from "./state-file.ts";

export interface Confirmed {
	/** Old contents that were kept, as somebody had changed them meanwhile. */
	readonly kept: readonly string[];
	/** What could not be tidied away; nothing depends on it. */
	readonly warnings: readonly string[];
}

export class PendingStore {
	readonly #state: string;
	readonly #operations: FileOperations;

	constructor(stateDirectory: string, operations: FileOperations) {
		this.#state = stateDirectory;
		this.#operations = operations;
	}

	read(): PendingRead {
		return readRecord(this.#state);
	}

	/** Where the policies of a change are. */
	policies(id: string): string {
		return join(changeDirectory(this.#state, id), "policies");
	}

	/** With `confirm: required`: the policies that were confirmed last. */
	get snapshot(): string {
		return snapshotDirectory(this.#state);
	}

	/** With nothing ever in force, the first snapshot is empty. */
	async beginSnapshot(): Promise<void> {
		if (existsSync(this.snapshot) || existsSync(join(this.#state, "last-good.json"))) return;
		await this.#operations.makeDirectory(this.snapshot, 0o700);
	}

	/** Notes the content of the policy directory that was rolled back last. */
	async reject(digest: string): Promise<void> {
		await this.#operations.writeState(this.#rejectedPath, { digest });
	}

	/** What `reject` noted; null where nothing can be read. */
	rejected(): string | null {
		const state = readState(this.#rejectedPath);
		if (!state.ok || typeof state.value !== "object" || state.value === null) return null;
		return "digest" in state.value && typeof state.value.digest === "string" ? state.value.digest : null;
	}

	get #rejectedPath(): string {
		return join(this.#state, "confirmed", "rejected.json");
	}

	/** Rejects with the system's error; then what was on disk still is. */
	async write(change: PendingChange): Promise<void> {
		await this.#operations.writeState(recordPath(this.#state), change);
	}

	/** Forgets a change: the record first, so that a copy which is half gone is never enforced. */
	async drop(id: string | null): Promise<void> {
		await this.#operations.removeState(recordPath(this.#state));
		if (id !== null) await this.#operations.removeTree(changeDirectory(this.#state, id));
	}

	/** Rejects where a directory could not be replaced. */
	async probe(target: string): Promise<void> {
		await probeReplacement(target, this.#operations);
	}

	/**
	 * Makes the change's copy the content of the directories, all of them or none. Rejects with the reason; the
	 * change then is pending as before.
	 */
	async confirm(change: PendingChange, takeovers: readonly Takeover[]): Promise<Confirmed> {
		const replacements = takeovers.map(({ target }) => this.#replacement(change, target));
		try {
			for (const replacement of replacements) {
				// Lists are read where the policies will be, also while the snapshot is in force.
				const lists = replacement.target !== this.snapshot;
				await replacement.prepare(this.policies(change.id), lists);
			}
			await this.write({ ...change, confirming: takeovers });
			for (const replacement of replacements) await replacement.exchange();
		} catch (error) {
			try {
				for (const replacement of replacements) await replacement.revert();
				await this.write(change);
				for (const replacement of replacements) await replacement.discard();
			} catch (second) {
				throw new Error(`${systemError(error)}; nor could it be taken back: ${systemError(second)}`);
			}
			throw error;
		}
		return this.#settle(change, takeovers);
	}

	/** Does what a record that is being confirmed says. Done before is no error. */
	async finish(change: PendingChange): Promise<Confirmed> {
		const takeovers = change.confirming ?? [];
		for (const { target } of takeovers) await this.#replacement(change, target).exchange();
		return this.#settle(change, takeovers);
	}

	/** Removes what crashes left: copies of other changes than `current`, and what lies beside the directories. */
	async cleanUp(current: string | null, targets: readonly string[]): Promise<readonly string[]> {
		const warnings: string[] = [];
		const attempt = async (step: () => Promise<void>) => {
			await step().catch((error: unknown) => warnings.push(systemError(error)));
		};
		for (const parent of [join(this.#state, "pending"), incomingDirectory(this.#state)]) {
			for (const name of await readdir(parent).catch(() => [])) {
				if (name !== current) await attempt(() => this.#operations.removeTree(join(parent, name)));
			}
		}
		for (const target of targets) await attempt(() => tidyBeside(target, this.#operations));
		return warnings;
	}

	async #settle(change: PendingChange, takeovers: readonly Takeover[]): Promise<Confirmed> {
		const kept: string[] = [];
		const warnings: string[] = [];
		for (const { target, keep } of takeovers) {
			try {
				const old = await this.#replacement(change, target).tidy(keep);
				if (old !== null) kept.push(old);
			} catch (error) {
				warnings.push(systemError(error));
			}
		}
		await this.drop(change.id).catch((error: unknown) => warnings.push(systemError(error)));
		return { kept, warnings };
	}

	#replacement(change: PendingChange, target: string): Replacement {
		return new Replacement(target, change.id, this.#operations);
	}
}
