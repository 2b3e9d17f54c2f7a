/**
 * Typed request and response between the main thread and a Worker. A Worker
 * answers its requests one after the other, so a call is also a queue.
 */

/** The calls that a Worker serves: one argument in, one result out, both plain data. */
export type Calls = { readonly [name: string]: (argument: never) => unknown };

type Argument<C extends Calls, N extends keyof C> = Parameters<C[N]>[0];
type Result<C extends Calls, N extends keyof C> = Awaited<ReturnType<C[N]>>;

interface Request {
	readonly id: number;
	readonly name: string;
	readonly argument: unknown;
}

interface Pending {
	readonly name: string;
	resolve(value: unknown): void;
	reject(error: Error): void;
}

type Response =
	| { readonly id: number; readonly ok: true; readonly result: unknown }
	| { readonly id: number; readonly ok: false; readonly error: string };

/** What a Worker looks like from outside; `Worker` is one. */
export interface WorkerLike {
	postMessage(value: unknown): void;
	addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
	addEventListener(type: "error", listener: (event: { message: string }) => void): void;
	addEventListener(type: "close", listener: () => void): void;
	terminate(): void;
}

/** The Worker ended, or threw: a bug or a lack of memory, never an expected failure. */
export class WorkerGone extends Error {}

export class WorkerClient<C extends Calls> {
	readonly #worker: WorkerLike;
	/** In the order of the calls: the first is what the Worker is doing. */
	readonly #pending = new Map<number, Pending>();
	/** When the Worker began what it is doing, in milliseconds of the monotonic clock. */
	#busySince = 0;
	#next = 1;
	#gone: WorkerGone | null = null;

	/** `onGone` is called once when the Worker ends without `stop`. */
	constructor(name: string, worker: WorkerLike, onGone: (reason: string) => void) {
		this.#worker = worker;
		const gone = (reason: string) => {
			if (this.#gone) return;
			this.#gone = new WorkerGone(`the ${name} worker ended: ${reason}`);
			for (const call of this.#pending.values()) call.reject(this.#gone);
			this.#pending.clear();
			onGone(reason);
		};
		worker.addEventListener("message", (event) => this.#settle(event.data as Response));
		// Without these two, a throw inside a Worker is silent in Bun.
		worker.addEventListener("error", (event) => gone(event.message));
		worker.addEventListener("close", () => gone("closed"));
	}

	/** Rejects only with WorkerGone, or with an Error that carries a bug's text. */
	call<N extends keyof C & string>(name: N, argument: Argument<C, N>): Promise<Result<C, N>> {
		if (this.#gone) return Promise.reject(this.#gone);
		const id = this.#next++;
		return new Promise((resolve, reject) => {
			if (this.#pending.size === 0) this.#busySince = performance.now();
			this.#pending.set(id, { name, resolve: resolve as (value: unknown) => void, reject });
			const request: Request = { id, name, argument };
			this.#worker.postMessage(request);
		});
	}

	/** The call that the Worker is at, and for how many milliseconds; null when it has nothing to do. */
	get busy(): { readonly call: string; readonly milliseconds: number } | null {
		const [first] = this.#pending.values();
		return first === undefined
			? null
			: { call: first.name, milliseconds: performance.now() - this.#busySince };
	}

	/** Ends the Worker; calls under way are rejected. */
	stop(): void {
		this.#gone ??= new WorkerGone("stopped");
		for (const call of this.#pending.values()) call.reject(this.#gone);
		this.#pending.clear();
		this.#worker.terminate();
	}

	#settle(response: Response): void {
		const call = this.#pending.get(response.id);
		if (!call) return;
		this.#pending.delete(response.id);
		this.#busySince = performance.now();
		if (response.ok) call.resolve(response.result);
		else call.reject(new Error(response.error));
	}
}

/** The Worker's side. */
export interface WorkerScope {
	onmessage: ((event: MessageEvent) => void) | null;
	postMessage(value: unknown, moved: ArrayBuffer[]): void;
}

/**
 * Serves `calls` in the Worker whose global scope is given.
 * @param moves the buffers of a result that go with it instead of being copied: the Worker has them no more
 */
export function serve<C extends Calls>(
	scope: WorkerScope,
	calls: C,
	moves: (result: unknown) => ArrayBuffer[] = () => [],
): void {
	let queue: Promise<void> = Promise.resolve();
	scope.onmessage = (event) => {
		const request = event.data as Request;
		queue = queue.then(async () => {
			let response: Response;
			try {
				const call = calls[request.name] as ((argument: unknown) => unknown) | undefined;
				if (!call) throw new Error(`no call named ${request.name}`);
				response = { id: request.id, ok: true, result: await call(request.argument) };
			} catch (error) {
				response = {
					id: request.id,
					ok: false,
					error: error instanceof Error ? (error.stack ?? error.message) : String(error),
				};
			}
			scope.postMessage(response, response.ok ? moves(response.result) : []);
		});
	};
}
