/** The history of generations: what changed with each set of policies that came into force, and who confirmed it. */

import { join } from "node:path";
import {
	type Generation,
	type GenerationConfirmation,
	mostGenerations,
	type SetChange,
} from "../base/generation.ts";
import type { Config } from "../config/model.ts";
import { generationsToSave, savedGenerations } from "../engine/generations/saved.ts";
import type { Before, Told } from "../engine/generations/set-change.ts";
import type { SetText } from "../engine/generations/set-text.ts";
import type { Logger } from "../report/log.ts";
import type { PendingState } from "../report/status.ts";
import { readState, writeState } from "../state/state-file.ts";

export interface GenerationsOptions {
	readonly stateDirectory: string;
	/** Asks the thread that compiled what changed. */
	readonly tell: (before: Before, config: Config) => Promise<Told>;
	readonly generation: () => number;
	readonly log: Logger;
	readonly clock?: () => number;
}

/** What is known of a change that had to be confirmed. */
export type Confirmable = Pick<PendingState, "id" | "from" | "asker">;

/** Characters of a sentence of others that is kept. */
const longestText = 500;

export class Generations {
	readonly #options: GenerationsOptions;
	readonly #file: string;
	#text: SetText | null = null;
	#config: Config | null = null;
	#all: readonly Generation[] = [];
	/** What was told last is being worked on: what is said of it waits. */
	#queue: Promise<void> = Promise.resolve();

	constructor(options: GenerationsOptions) {
		this.#options = options;
		this.#file = join(options.stateDirectory, "generations.json");
	}

	/** Newest first. */
	get all(): readonly Generation[] {
		return this.#all;
	}

	/** Reads what an earlier process kept. What cannot be read begins anew. */
	start(): void {
		const read = readState(this.#file);
		const saved = read.ok ? savedGenerations(read.value) : null;
		if (saved !== null) ({ text: this.#text, generations: this.#all } = saved);
		const problem = read.ok ? (saved === null ? "it has another form" : read.problem) : read.message;
		if (problem !== null && !(read.ok === false && read.reason === "absent"))
			this.#options.log.warn("the history of generations is not whole", {
				file: this.#file,
				reason: problem,
			});
	}

	/**
	 * A set of policies is in force. The thread is asked at once, before it reads another set; nobody waits for the answer.
	 * @param pending the change that waits for its confirmation, if that is what is in force
	 */
	inForce(config: Config, pending: Confirmable | null): void {
		const { tell, generation, log, clock = Date.now } = this.#options;
		const [number, time] = [generation(), new Date(clock()).toISOString()];
		const before = { text: this.#text, config: this.#config };
		const told = tell(before, config);
		this.#queue = this.#queue.then(async () => {
			try {
				const { text, change } = await told;
				const same = this.#text?.digest === text.digest;
				this.#text = text;
				this.#config = config;
				if (change !== null)
					this.#add({ time, generation: number, ...head(change), ...confirmable(pending) });
				else if (!same) this.#save();
			} catch (error) {
				// The thread ended, or has a bug: what is in force does not depend on it.
				const reason = error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : String(error);
				log.warn("what changed in the policies cannot be told", { reason });
			}
		});
	}

	/** A change was confirmed or rolled back. */
	settled(result: "confirmed" | "rolled_back", change: Confirmable | null, how: string): void {
		if (change === null) return;
		const settled = new Date((this.#options.clock ?? Date.now)()).toISOString();
		this.#queue = this.#queue.then(() => {
			const place = this.#all.findIndex(({ confirmation }) => confirmation?.id === change.id);
			if (place < 0) return;
			this.#all = this.#all.map((one, index) => {
				if (index === place && one.confirmation !== null)
					return {
						...one,
						confirmation: { ...one.confirmation, result, settled, how: how.slice(0, longestText) },
					};
				return index === 0 && result === "rolled_back" ? { ...one, rollbackOf: change.id } : one;
			});
			this.#save();
		});
	}

	/** Resolves when all that was said so far is in the history. */
	async done(): Promise<void> {
		await this.#queue;
	}

	#add(fresh: Generation): void {
		this.#all = [fresh, ...this.#all].slice(0, mostGenerations);
		this.#save();
	}

	#save(): void {
		const value = generationsToSave({ text: this.#text, generations: this.#all });
		const problem = writeState(this.#file, value);
		if (problem !== null)
			this.#options.log.warn("the history of generations cannot be saved", {
				file: this.#file,
				reason: problem,
			});
	}
}

function head({ files, settings, rules, verdicts, problem }: SetChange): SetChange {
	return { files, settings, rules, verdicts, problem };
}

function confirmable(pending: Confirmable | null): Pick<Generation, "confirmation" | "rollbackOf"> {
	if (pending === null) return { confirmation: null, rollbackOf: null };
	const { id, from, asker } = pending;
	const confirmation: GenerationConfirmation = {
		id,
		from,
		asker: asker === null ? null : { uid: asker.uid, pid: asker.pid },
		result: "pending",
		settled: null,
		how: "",
	};
	return { confirmation, rollbackOf: null };
}
