/** The picture of the policies in force, for who asks for it: drawn once for each time that something is put in force. */

import type { WorkerClient } from "../../../../threads/rpc.ts";
import type { GraphDrawing } from "../../report/graph/graph-page.ts";
import type { JudgeCalls } from "../calls.ts";
import type { PolicySource } from "../enforcer-options.ts";

/** Milliseconds that an answer waits: the thread may be compiling. */
const defaultWaitMs = 5000;

export interface GraphSourceOptions {
	/** Counts what was put in force; 0: nothing yet. */
	readonly generation: () => number;
	readonly judge: Pick<WorkerClient<JudgeCalls>, "call">;
	readonly policies: Pick<PolicySource, "recall">;
	/** Milliseconds. */
	readonly waitMs?: number;
}

const busy: GraphDrawing = { ok: false, message: "the thread that knows the policies is busy; ask again" };

export class GraphSource {
	readonly #options: GraphSourceOptions;
	#drawn: { readonly generation: number; readonly drawing: GraphDrawing } | null = null;
	#drawing: Promise<GraphDrawing> | null = null;

	constructor(options: GraphSourceOptions) {
		this.#options = options;
	}

	/** However many ask, the thread draws one at a time. */
	async draw(): Promise<GraphDrawing> {
		const { generation, waitMs = defaultWaitMs } = this.#options;
		const wanted = generation();
		if (wanted === 0) return { ok: false, message: "no policies are in force" };
		if (this.#drawn?.generation === wanted) return this.#drawn.drawing;
		this.#drawing ??= this.#ask(wanted).finally(() => {
			this.#drawing = null;
		});
		return await Promise.race([this.#drawing, Bun.sleep(waitMs).then(() => busy)]);
	}

	async #ask(generation: number): Promise<GraphDrawing> {
		const { judge, policies } = this.#options;
		try {
			let drawing = await judge.call("drawGraph", null);
			if (drawing === null) {
				await policies.recall();
				drawing = await judge.call("drawGraph", null);
			}
			if (drawing === null) return { ok: false, message: "no policies were read" };
			this.#drawn = { generation, drawing };
			return drawing;
		} catch (error) {
			return { ok: false, message: error instanceof Error ? error.message : String(error) };
		}
	}
}
