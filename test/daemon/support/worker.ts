/** A Worker whose two ends are in this thread; messages still take a turn and are still copied. */

import { type Calls, serve, type WorkerLike, type WorkerScope } from "../../../src/threads/rpc.ts";

export class LocalWorker implements WorkerLike {
	readonly #listeners: Record<string, ((event: never) => void)[]> = { message: [], error: [], close: [] };
	readonly #scope: WorkerScope;
	terminated = false;

	/** Serves `calls` until it is terminated. */
	static serving<C extends Calls>(calls: C): LocalWorker {
		const worker = new LocalWorker();
		serve(worker.#scope, calls);
		return worker;
	}

	private constructor() {
		this.#scope = {
			onmessage: null,
			postMessage: (data) => queueMicrotask(() => this.#emit("message", { data: structuredClone(data) })),
		};
	}

	postMessage(data: unknown): void {
		const copy: unknown = structuredClone(data);
		queueMicrotask(() => this.#scope.onmessage?.(new MessageEvent("message", { data: copy })));
	}

	addEventListener(type: string, listener: (event: never) => void): void {
		this.#listeners[type]?.push(listener);
	}

	terminate(): void {
		this.terminated = true;
		this.#emit("close", undefined);
	}

	/** As a Worker that threw. */
	fail(message: string): void {
		this.#emit("error", { message });
	}

	#emit(type: string, event: unknown): void {
		if (type === "message" && this.terminated) return;
		for (const listener of this.#listeners[type] ?? []) listener(event as never);
	}
}
