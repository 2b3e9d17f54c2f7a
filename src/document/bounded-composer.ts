/** The YAML library's composer, which stops at so many problems: each costs a kilobyte, and a file can have millions. */

import { Composer } from "yaml";

/** What the library found, at an offset of the text. */
export interface FoundProblem {
	readonly pos: readonly [number, number];
	readonly message: string;
}

/** Thrown by the call that finds one problem more than the limit. */
export class TooManyProblems extends Error {}

type Composing = Composer;
type Documents = ReturnType<Composing["next"]> extends Generator<infer D, void, unknown> ? D[] : never;

export class BoundedComposer {
	// Duplicate keys are found by the field reader in linear time; the library's check is quadratic.
	readonly #composer = new Composer({ uniqueKeys: false, prettyErrors: false, stringKeys: false });
	readonly #limit: number;
	/** The library hands what it found from list to list: each counts once. */
	readonly #found = new Set<FoundProblem>();
	readonly #watched = new WeakSet<readonly FoundProblem[]>();

	constructor(limit: number) {
		this.#limit = limit;
	}

	/** Errors and warnings so far, at most as many as the limit. */
	get problems(): readonly FoundProblem[] {
		return [...this.#found];
	}

	next(token: Parameters<Composing["next"]>[0]): Documents {
		this.#watch();
		return [...this.#composer.next(token)];
	}

	end(endOffset: number): Documents {
		this.#watch();
		return [...this.#composer.end(true, endOffset)];
	}

	/** The composer collects into two lists, and makes new ones after each document. */
	#watch(): void {
		const { errors, warnings } = this.#composer.streamInfo();
		for (const list of [errors, warnings] as FoundProblem[][]) {
			if (this.#watched.has(list)) continue;
			this.#watched.add(list);
			list.push = (...problems) => this.#add(list, problems);
		}
	}

	#add(list: FoundProblem[], problems: readonly FoundProblem[]): number {
		for (const problem of problems) {
			if (this.#found.size >= this.#limit && !this.#found.has(problem)) throw new TooManyProblems();
			this.#found.add(problem);
			list[list.length] = problem;
		}
		return list.length;
	}
}
