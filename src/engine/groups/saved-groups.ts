/** Groups in the state directory: what last good policies name, and the lists that stand in for broken files. */

import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { formatCidr, parseCidr } from "../../base/cidr.ts";
import { parseCidrList } from "../../base/cidr-list.ts";
import type { Cidr } from "../../base/model.ts";
import { type BlockList, type GroupMembers, networkPart } from "../../enforcers/network/model.ts";
import { type KnownGroups, membersIn, membersOf } from "../../enforcers/network/parse/link-groups.ts";
import { readState, removeState, writeState } from "../../state/state-file.ts";
import type { GoodDocument, LastGood } from "../collection.ts";
import type { KeptList } from "./feeds.ts";

const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const count = v.pipe(v.number(), v.integer(), v.minValue(1));

export const groupsShape = v.object({
	/** By their digests. */
	members: v.record(
		v.string(),
		v.object({
			name: v.string(),
			place: v.object({ file: v.string(), line: count, column: count }),
			cidrs: v.array(v.string()),
			except: v.array(v.string()),
			list: v.nullable(sha256),
		}),
	),
	/** By the names of their groups. */
	lists: v.record(v.string(), v.object({ file: v.string(), list: sha256 })),
});

export type SavedGroups = v.InferOutput<typeof groupsShape>;

const savedList = v.object({ blocks: v.string() });

export interface GroupsToSave {
	readonly saved: SavedGroups;
	readonly lists: readonly BlockList[];
	/** What is said of a document beside its text. */
	named(document: GoodDocument): { readonly groups?: readonly string[] };
}

/** Null where nothing names groups, and none has a list. */
export function groupsToSave(
	documents: readonly LastGood[],
	kept: ReadonlyMap<string, KeptList>,
): GroupsToSave | null {
	const byDocument = new Map<GoodDocument, readonly GroupMembers[]>();
	for (const { document } of documents) {
		const named = networkPart.all([document.policy]).flatMap(membersIn);
		if (named.length > 0) byDocument.set(document, named);
	}
	if (byDocument.size === 0 && kept.size === 0) return null;
	const members: SavedGroups["members"] = {};
	const lists = new Map<string, BlockList>();
	for (const { digest, group, list } of [...byDocument.values()].flat()) {
		const { name, place, cidrs, except } = group;
		const { file, line, column } = place;
		members[digest] = {
			name,
			place: { file, line, column },
			cidrs: cidrs.map(({ cidr }) => formatCidr(cidr)),
			except: except.map(formatCidr),
			list: list?.sha256 ?? null,
		};
		if (list !== null) lists.set(list.sha256, list);
	}
	for (const { list } of kept.values()) lists.set(list.sha256, list);
	return {
		saved: {
			members,
			lists: Object.fromEntries(
				[...kept].map(([name, { file, list }]) => [name, { file, list: list.sha256 }]),
			),
		},
		lists: [...lists.values()],
		named(document) {
			const named = byDocument.get(document);
			return named === undefined ? {} : { groups: named.map(({ digest }) => digest) };
		},
	};
}

export interface RestoredGroups {
	/** Those of these digests that are still known. */
	members(digests: readonly string[]): KnownGroups;
	readonly lists: ReadonlyMap<string, KeptList>;
}

/** Lists by the hashes of the files that they come from, each in a state file of its own. */
export class GroupStore {
	readonly #directory: string;
	#written: ReadonlySet<string> = new Set();

	constructor(directory: string) {
		this.#directory = directory;
	}

	/** What cannot be read is left out. */
	read(saved: SavedGroups): RestoredGroups {
		const known = new Map<string, BlockList | null>();
		const list = (name: string): BlockList | null => {
			if (!known.has(name)) known.set(name, this.#readList(name));
			return known.get(name) ?? null;
		};
		const restored = new Map<string, GroupMembers>();
		const lists = new Map<string, KeptList>();
		for (const [name, { file, list: hash }] of Object.entries(saved.lists)) {
			const found = list(hash);
			if (found !== null) lists.set(name, { file, list: found });
		}
		return {
			lists,
			members: (digests) => {
				const found = new Map<string, GroupMembers | null>();
				for (const digest of digests) {
					const entry = saved.members[digest];
					if (entry === undefined) continue;
					const blocks = entry.list === null ? null : list(entry.list);
					const members =
						restored.get(digest) ??
						(entry.list !== null && blocks === null ? null : membersOf(groupOf(entry), blocks));
					if (members !== null) restored.set(digest, members);
					found.set(entry.name, members);
				}
				return found;
			},
		};
	}

	/** Returns an error text, or null. */
	write(lists: readonly BlockList[]): string | null {
		for (const { sha256: name, blocks } of lists) {
			if (this.#written.has(name)) continue;
			mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
			const problem = writeState(this.#path(name), { blocks: blocks.map(formatCidr).join("\n") });
			if (problem !== null) return problem;
		}
		return null;
	}

	/** Removes the lists that neither these are nor those of the time before, which the version before may name. */
	retain(lists: readonly BlockList[]): void {
		const now = new Set(lists.map(({ sha256: name }) => name));
		const spared = new Set([...now, ...this.#written]);
		this.#written = now;
		for (const file of this.#present()) {
			const name = file.replace(/\.json$/, "");
			if (/^[0-9a-f]{64}$/.test(name) && !spared.has(name)) removeState(this.#path(name));
		}
	}

	#present(): readonly string[] {
		try {
			return readdirSync(this.#directory);
		} catch (error) {
			if (error instanceof Error && "code" in error) return [];
			throw error;
		}
	}

	#path(name: string): string {
		return join(this.#directory, `${name}.json`);
	}

	#readList(name: string): BlockList | null {
		const state = readState(this.#path(name));
		const parsed = state.ok ? v.safeParse(savedList, state.value) : null;
		if (parsed?.success !== true) return null;
		const list = parseCidrList(Buffer.from(parsed.output.blocks));
		return list.ok ? { sha256: name, blocks: list.blocks } : null;
	}
}

/** Where each block stood was not kept. */
function groupOf(entry: SavedGroups["members"][string]): GroupMembers["group"] {
	const { name, place, cidrs, except } = entry;
	const written = cidrsOf(cidrs).map((cidr) => ({ cidr, place }));
	return { name, place, cidrs: written, except: cidrsOf(except) };
}

function cidrsOf(texts: readonly string[]): Cidr[] {
	return texts.flatMap((text) => {
		const parsed = parseCidr(text);
		return parsed.ok ? [parsed.cidr] : [];
	});
}
