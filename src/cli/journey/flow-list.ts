/**
 * Flows by their numbers, as the table and its order want them: where they are very many, an object for each takes longer
 * than all else that is done with it. Pure.
 */

import type { Action } from "../../base/model.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { aroundRemote } from "../../enforcers/network/history/describe-flow.ts";
import { remoteText, type SeenFlow } from "../../enforcers/network/history/seen-flow.ts";

/** What is told of a flow before its remote end and behind it. No terminal obeys it. */
export interface Telling {
	readonly before: string;
	readonly after: string;
}

export interface FlowList {
	readonly length: number;
	count(index: number): number;
	/** Milliseconds since the epoch. */
	lastSeen(index: number): number;
	action(index: number): Action;
	isNew(index: number): boolean;
	telling(index: number): Telling;
	remote(index: number): string;
	flow(index: number): SeenFlow;
}

/** What happened, and who decided. */
export function tellingOf(flow: SeenFlow): Telling {
	const [before, after] = aroundRemote(flow);
	const by = flow.policy === null ? "" : ` (${flow.policy})`;
	return {
		before: escapeForTerminal(before),
		after: escapeForTerminal(`${after}${by}${flow.isNew ? " NEW" : ""}`),
	};
}

/** Flows that are objects already, such as those of a file. */
export class FlowArray implements FlowList {
	readonly #flows: readonly SeenFlow[];

	constructor(flows: readonly SeenFlow[]) {
		this.#flows = flows;
	}

	get length(): number {
		return this.#flows.length;
	}

	count(index: number): number {
		return this.flow(index).count;
	}

	lastSeen(index: number): number {
		return this.flow(index).lastSeen;
	}

	action(index: number): Action {
		return this.flow(index).action;
	}

	isNew(index: number): boolean {
		return this.flow(index).isNew;
	}

	telling(index: number): Telling {
		return tellingOf(this.flow(index));
	}

	remote(index: number): string {
		return remoteText(this.flow(index).remote);
	}

	flow(index: number): SeenFlow {
		const flow = this.#flows[index];
		if (flow === undefined) throw new RangeError(`there is no flow ${index}`);
		return flow;
	}
}

/** The numbers of the wanted ones, the most frequent first, and of these what was seen last. */
export function orderedFlows(
	list: FlowList,
	wanted: (action: Action, isNew: boolean) => boolean,
): Uint32Array {
	const counts = new Float64Array(list.length);
	const lasts = new Float64Array(list.length);
	const order = new Uint32Array(list.length);
	let chosen = 0;
	for (let index = 0; index < list.length; index++) {
		if (!wanted(list.action(index), list.isNew(index))) continue;
		counts[index] = list.count(index);
		lasts[index] = list.lastSeen(index);
		order[chosen] = index;
		chosen += 1;
	}
	return order
		.subarray(0, chosen)
		.sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0) || (lasts[b] ?? 0) - (lasts[a] ?? 0) || a - b);
}
