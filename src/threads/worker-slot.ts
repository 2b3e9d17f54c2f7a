/**
 * A Worker that is made when it is first called and can be made anew: ending
 * a thread is the only way to give all of its heap back to the system.
 */

import { type Calls, WorkerClient, type WorkerLike } from "./rpc.ts";

export class WorkerSlot<C extends Calls> {
	readonly #name: string;
	readonly #create: () => WorkerLike;
	readonly #onGone: (reason: string) => void;
	#client: WorkerClient<C> | null = null;
	#asked = Number.NEGATIVE_INFINITY;

	/** `onGone` is called when the Worker ends by itself. */
	constructor(name: string, create: () => WorkerLike, onGone: (reason: string) => void) {
		this.#name = name;
		this.#create = create;
		this.#onGone = onGone;
	}

	/** Like WorkerClient.call, with a Worker started where there is none. */
	call<N extends keyof C & string>(
		name: N,
		argument: Parameters<C[N]>[0],
	): Promise<Awaited<ReturnType<C[N]>>> {
		return this.start().call(name, argument);
	}

	/** Starts a Worker where there is none: who will soon be called is ready by then. */
	start(): WorkerClient<C> {
		this.#asked = performance.now();
		this.#client ??= new WorkerClient<C>(this.#name, this.#create(), this.#onGone);
		return this.#client;
	}

	/** As WorkerClient.busy; null where there is no Worker. */
	get busy(): WorkerClient<C>["busy"] {
		return this.#client?.busy ?? null;
	}

	/** Milliseconds since the last call, or start. */
	get idleMs(): number {
		return performance.now() - this.#asked;
	}

	/** Whether there is a Worker. */
	get started(): boolean {
		return this.#client !== null;
	}

	/** Ends the Worker with all that it remembers; calls under way are rejected. The next call starts another. */
	recycle(): void {
		this.#client?.stop();
		this.#client = null;
	}
}
