/** Keeps the kernel's USB defaults closed while policies need it, and what they were before in the state directory. */

import type { PriorDefaults } from "../apply/lock.ts";
import type { UsbMemory } from "./memory.ts";
import type { UsbWorkerPool } from "./worker-pool.ts";

export interface LockKeeperOptions {
	/** /sys, or a stand-in for it. */
	readonly root: string;
	readonly pool: Pick<UsbWorkerPool, "run">;
	readonly memory: UsbMemory;
	/** Told which instances were refused before there was a lock. */
	readonly foundRefused: (instances: readonly string[]) => void;
	/** The kernel's defaults were opened by somebody else, and are closed again. */
	readonly reopened: (buses: readonly string[]) => void;
	readonly warn: (message: string) => void;
	readonly remember: (change: { readonly prior: PriorDefaults }) => void;
}

export class UsbLockKeeper {
	readonly #options: LockKeeperOptions;
	#locked = false;

	constructor(options: LockKeeperOptions) {
		this.#options = options;
	}

	get locked(): boolean {
		return this.#locked;
	}

	/** Locks, or locks again. "" or why the machine is not locked. */
	async lock(): Promise<string> {
		const { pool, root, memory, reopened, foundRefused, remember } = this.#options;
		const known = memory.value.prior;
		if (known === null) foundRefused(await pool.run((worker) => worker.call("refusedByOthers", { root })));
		remember({ prior: await pool.run((worker) => worker.call("readDefaults", { root, known })) });
		const { closed, errors } = await pool.run((worker) => worker.call("lock", { root }));
		if (errors.length > 0) return `USB cannot be locked: ${errors.slice(0, 3).join("; ")}`;
		if (this.#locked && closed.length > 0) reopened(closed);
		this.#locked = true;
		return "";
	}

	/** Puts back what was in force before the lock, as far as that is known. */
	async unlock(): Promise<void> {
		const { pool, root, memory, warn } = this.#options;
		const { prior } = memory.value;
		this.#locked = false;
		if (prior === null) return;
		const errors = await pool.run((worker) => worker.call("unlock", { root, prior }));
		for (const error of errors) warn(`a USB default could not be put back: ${error}`);
	}

	/** Changes nothing, and asks the kernel whether it is locked: whoever locked it may be forgotten. */
	async hold(): Promise<void> {
		const { pool, root } = this.#options;
		const now = await pool.run((worker) => worker.call("readDefaults", { root, known: null }));
		const controllers = Object.values(now.controllers);
		this.#locked = controllers.length > 0 && controllers.every(({ devices }) => devices === "0");
	}

	/** Locks a controller that appeared after the lock: its interfaces still come up open. */
	async lockNew(bus: string): Promise<void> {
		const { pool, root, warn } = this.#options;
		const locked = await pool.run((worker) => worker.call("lockController", { root, bus }));
		if (locked.error !== "") warn(`a USB controller could not be locked: ${locked.error}`);
	}
}
