/** Saves whose refusals are whose: a moment after a change, as devices come in crowds, and before one that takes away. */

/** Milliseconds between a change and its being saved; longer where saving takes long, as it holds up all else. */
const saveMs = 100;
/** Of the time of this thread, saving takes at most one part in so many while devices come in crowds. */
const savingShare = 20;
const mostSaveMs = 2000;

export class OwnersKeeper {
	readonly #save: () => void;
	#saving: ReturnType<typeof setTimeout> | null = null;
	/** Milliseconds that saving took last. */
	#savedIn = 0;
	#soonest: Promise<void> | null = null;

	/** `save` writes what is known to disk; it tells itself what went wrong. */
	constructor(save: () => void) {
		this.#save = save;
	}

	/** Saves a moment later. */
	soon(): void {
		this.#saving ??= setTimeout(
			() => this.#run(),
			Math.min(Math.max(saveMs, savingShare * this.#savedIn), mostSaveMs),
		);
	}

	/**
	 * Resolves when what is known now is saved; callers of one moment share one save. A daemon that ends between a
	 * refusal and its being saved would leave it to the next as somebody else's, which nobody ends.
	 */
	now(): Promise<void> {
		this.#soonest ??= new Promise((resolve) => {
			setImmediate(() => {
				this.#soonest = null;
				this.#run();
				resolve();
			});
		});
		return this.#soonest;
	}

	/** Saves what is not saved yet. */
	stop(): void {
		if (this.#saving !== null) this.#run();
	}

	#run(): void {
		if (this.#saving !== null) clearTimeout(this.#saving);
		this.#saving = null;
		const began = performance.now();
		this.#save();
		this.#savedIn = performance.now() - began;
	}
}
