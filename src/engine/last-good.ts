/** The last good documents in the state directory, with the groups of addresses that they name. */

import { join } from "node:path";
import * as v from "valibot";
import type { Kinds } from "../document/kind.ts";
import { isBroken, type ParsedDocument, parseOneDocument } from "../document/parse.ts";
import { readState, writeState } from "../state/state-file.ts";
import type { GoodDocument, LastGood } from "./collection.ts";
import { registeredKinds } from "./enforcers.ts";
import type { KeptList } from "./groups/feeds.ts";
import { linkDocument } from "./groups/groups.ts";
import { GroupStore, groupsShape, groupsToSave, type SavedGroups } from "./groups/saved-groups.ts";

const savedSet = v.object({
	documents: v.array(
		v.object({
			path: v.string(),
			index: v.pipe(v.number(), v.integer(), v.minValue(0)),
			firstLine: v.pipe(v.number(), v.integer(), v.minValue(1)),
			source: v.string(),
			groups: v.exactOptional(v.array(v.string())),
		}),
	),
	groups: v.exactOptional(groupsShape),
});

export interface LastGoodRead {
	readonly documents: readonly LastGood[];
	/** The lists of groups, by the names of these. */
	readonly lists: ReadonlyMap<string, KeptList>;
	readonly problem: string | null;
}

const savedFile = "last-good.json";
const savedLists = "lists";
const noLists: LastGoodRead["lists"] = new Map();

export class LastGoodStore {
	readonly file: string;
	readonly #kinds: Kinds;
	readonly #groups: GroupStore;
	readonly #before: string | null;
	#written = "";

	/** @param before the state of what a pending change takes the place of: the lists in force there; null for none */
	constructor(stateDirectory: string, kinds: Kinds = registeredKinds, before: string | null = null) {
		this.#kinds = kinds;
		this.#before = before;
		this.file = join(stateDirectory, savedFile);
		this.#groups = new GroupStore(join(stateDirectory, savedLists));
	}

	/**
	 * Never fails: what cannot be read is an empty set and a sentence about it; so is, beside the version before it, what
	 * is damaged.
	 * Documents that are on disk unchanged, as `present` knows them, are not parsed again.
	 */
	read(
		policyDirectory: string,
		present: (path: string, source: string) => ParsedDocument | undefined = () => undefined,
	): LastGoodRead {
		const state = readState(this.file);
		if (!state.ok) {
			const problem = state.reason === "absent" ? null : state.message;
			return { documents: [], lists: this.#listsBefore(), problem };
		}
		const parsed = v.safeParse(savedSet, state.value);
		if (!parsed.success) {
			return { documents: [], lists: noLists, problem: `${this.file} is not a set of policies` };
		}
		const saved = parsed.output.groups ?? null;
		const groups = saved === null ? null : this.#groups.read(saved);
		const documents: LastGood[] = [];
		const lost: string[] = [];
		for (const { path, index, firstLine, source, groups: named = [] } of parsed.output.documents) {
			const same = present(path, source);
			const document =
				same?.index === index && same.firstLine === firstLine
					? same
					: parseOneDocument(join(policyDirectory, path), source, firstLine, index, this.#kinds);
			if (!document?.policy || isBroken(document)) continue;
			const linked =
				named.length === 0
					? document
					: linkDocument(document, document.policy, groups?.members(named) ?? new Map());
			if (linked.policy === null) lost.push(path);
			else documents.push({ path, index, document: linked as GoodDocument });
		}
		const problem =
			lost.length === 0 ? state.problem : `the groups that ${lost.join(", ")} named are no longer known`;
		return { documents, lists: groups?.lists ?? noLists, problem };
	}

	#listsBefore(): LastGoodRead["lists"] {
		const state = this.#before === null ? null : readState(join(this.#before, savedFile));
		const parsed = state?.ok === true ? v.safeParse(savedSet, state.value) : null;
		const saved = parsed?.success === true ? parsed.output.groups : undefined;
		if (this.#before === null || saved === undefined) return noLists;
		return new GroupStore(join(this.#before, savedLists)).read(saved).lists;
	}

	/** Saves the set unless it is what was saved last. Returns an error text, or null. */
	write(documents: readonly LastGood[], lists: LastGoodRead["lists"] = noLists): string | null {
		const groups = groupsToSave(documents, lists);
		const value = {
			documents: documents.map(({ path, index, document }) => ({
				path,
				index,
				firstLine: document.firstLine,
				source: document.source,
				...groups?.named(document),
			})),
			...(groups === null ? {} : { groups: groups.saved satisfies SavedGroups }),
		};
		const digest = Bun.hash(JSON.stringify(value)).toString(36);
		if (digest === this.#written) return null;
		// What names a list comes after it.
		const problem = (groups && this.#groups.write(groups.lists)) ?? writeState(this.file, value);
		if (problem !== null) return problem;
		this.#written = digest;
		this.#groups.retain(groups?.lists ?? []);
		return null;
	}
}
