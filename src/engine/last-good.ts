/** The last good documents in the state directory. */

import { join } from "node:path";
import * as v from "valibot";
import type { Kinds } from "../document/kind.ts";
import { isBroken, type ParsedDocument, parseOneDocument } from "../document/parse.ts";
import { readState, writeState } from "../state/state-file.ts";
import type { GoodDocument, LastGood } from "./collection.ts";
import { registeredKinds } from "./enforcers.ts";

const savedSet = v.object({
	documents: v.array(
		v.object({
			path: v.string(),
			index: v.pipe(v.number(), v.integer(), v.minValue(0)),
			firstLine: v.pipe(v.number(), v.integer(), v.minValue(1)),
			source: v.string(),
		}),
	),
});

export class LastGoodStore {
	readonly file: string;
	readonly #kinds: Kinds;
	#written = "";

	constructor(stateDirectory: string, kinds: Kinds = registeredKinds) {
		this.#kinds = kinds;
		this.file = join(stateDirectory, "last-good.json");
	}

	/**
	 * Never fails: what cannot be read is an empty set and a sentence about it; so is, beside the version before it, what
	 * is damaged.
	 * Documents that are on disk unchanged, as `present` knows them, are not parsed again.
	 */
	read(
		policyDirectory: string,
		present: (path: string, source: string) => ParsedDocument | undefined = () => undefined,
	): { documents: LastGood[]; problem: string | null } {
		const state = readState(this.file);
		if (!state.ok) return { documents: [], problem: state.reason === "absent" ? null : state.message };
		const parsed = v.safeParse(savedSet, state.value);
		if (!parsed.success) return { documents: [], problem: `${this.file} is not a set of policies` };
		const documents: LastGood[] = [];
		for (const { path, index, firstLine, source } of parsed.output.documents) {
			const same = present(path, source);
			const document =
				same?.index === index && same.firstLine === firstLine
					? same
					: parseOneDocument(join(policyDirectory, path), source, firstLine, index, this.#kinds);
			if (document?.policy && !isBroken(document)) {
				documents.push({ path, index, document: document as GoodDocument });
			}
		}
		return { documents, problem: state.problem };
	}

	/** Saves the set unless it is what was saved last. Returns an error text, or null. */
	write(documents: readonly LastGood[]): string | null {
		const value = {
			documents: documents.map(({ path, index, document }) => ({
				path,
				index,
				firstLine: document.firstLine,
				source: document.source,
			})),
		};
		const digest = Bun.hash(JSON.stringify(value)).toString(36);
		if (digest === this.#written) return null;
		const problem = writeState(this.file, value);
		if (problem === null) this.#written = digest;
		return problem;
	}
}
