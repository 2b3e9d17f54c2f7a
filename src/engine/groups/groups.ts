/** The groups of a set, and the policies whose rules name them. */

import type { Diagnostic, Place } from "../../base/diagnostic.ts";
import type { Policy } from "../../document/kind.ts";
import { isBroken, type ParsedDocument } from "../../document/parse.ts";
import {
	type AddressGroup,
	type GroupMembers,
	groupPart,
	networkPart,
} from "../../enforcers/network/model.ts";
import { groupKind } from "../../enforcers/network/parse/group.ts";
import {
	emptyGroup,
	groupsNamed,
	isLinked,
	type KnownGroups,
	linkGroups,
	membersIn,
	membersOf,
} from "../../enforcers/network/parse/link-groups.ts";
import type { GoodDocument, LastGood, LastGoodInput } from "../collection.ts";
import { resolveLastGood } from "../collection.ts";
import {
	type FeedDirectories,
	type FeedReport,
	Feeds,
	type KeptList,
	type SignedFeeds,
	signedPath,
} from "./feeds.ts";

export interface KnownSet {
	readonly known: KnownGroups;
	readonly feeds: readonly FeedReport[];
	readonly diagnostics: readonly Diagnostic[];
}

export interface LinkedInput extends LastGoodInput {
	readonly feeds: readonly FeedReport[];
	readonly diagnostics: readonly Diagnostic[];
}

/** Whether a document is a group, or has rules that name one. */
export function concernsGroups(document: ParsedDocument): boolean {
	return document.kind === groupKind || namesIn(document).length > 0;
}

const names = new WeakMap<ParsedDocument, readonly string[]>();

/** The groups that a document's rules name. */
function namesIn(document: ParsedDocument): readonly string[] {
	const known = names.get(document);
	if (known !== undefined) return known;
	const { policy } = document;
	const found = policy === null ? [] : networkPart.all([policy]).flatMap(groupsNamed);
	names.set(document, found);
	return found;
}

/** What was read of the files of groups that some rule names, by the documents of these groups. */
export function listsRead(documents: readonly ParsedDocument[]): ReadonlyMap<ParsedDocument, string> {
	const lists = new Map<string, string>();
	for (const { policy } of documents.filter((document) => namesIn(document).length > 0)) {
		const members = policy === null ? [] : networkPart.all([policy]).flatMap(membersIn);
		for (const { name, list } of members) if (list !== null) lists.set(name, list.sha256);
	}
	if (lists.size === 0) return new Map();
	return new Map(
		documents.flatMap((document) => {
			const list = document.kind === groupKind ? lists.get(document.name ?? "") : undefined;
			return list === undefined ? [] : [[document, list] as const];
		}),
	);
}

/** Whether a document is a group with a file. */
export function hasFeed({ kind, policy }: ParsedDocument): boolean {
	return kind === groupKind && policy !== null && groupOf(policy)?.feed != null;
}

export class Groups {
	readonly #feeds: Feeds;
	/** The lists that are in force, by the names of their groups. */
	#kept: ReadonlyMap<string, KeptList> = new Map();
	/** Those of the last reading. */
	#read: ReadonlyMap<string, KeptList> = new Map();
	readonly #members = new WeakMap<AddressGroup, GroupMembers>();
	readonly #linked = new WeakMap<
		ParsedDocument,
		{ readonly used: readonly (GroupMembers | null | undefined)[]; readonly linked: ParsedDocument }
	>();

	constructor(where: FeedDirectories) {
		this.#feeds = new Feeds(where);
	}

	/** The lists that stand in where a file is not what it was, by the names of their groups. */
	get kept(): ReadonlyMap<string, KeptList> {
		return this.#kept;
	}

	/** Blocks of lists that are kept in memory. */
	get length(): number {
		return this.#feeds.length;
	}

	/** What was in force when an earlier process ended. */
	restore(kept: ReadonlyMap<string, KeptList>): void {
		this.#kept = kept;
		this.#read = kept;
	}

	/** What was read last is in force. */
	keep(): void {
		this.#kept = this.#read;
	}

	/** Who is in the groups of these documents; broken ones, and those of one name, cannot be used. */
	resolve(documents: Iterable<ParsedDocument>, signed: SignedFeeds | null): KnownSet {
		const known = new Map<string, GroupMembers | null>();
		const lists = new Map<string, KeptList>();
		const feeds: FeedReport[] = [];
		const diagnostics: Diagnostic[] = [];
		for (const document of documents) {
			if (document.kind !== groupKind || document.name === null) continue;
			const group = isBroken(document) || document.policy === null ? null : groupOf(document.policy);
			if (group === null || known.has(document.name)) {
				known.set(document.name, null);
				continue;
			}
			if (group.feed === null) {
				known.set(group.name, this.#membersOf(group, null));
				continue;
			}
			const fed = this.#feeds.feed(group, group.feed, this.#kept.get(group.name) ?? null, signed);
			feeds.push(fed.report);
			diagnostics.push(...fed.diagnostics);
			known.set(group.name, fed.list && this.#membersOf(group, fed.list));
			const { file, state } = fed.report;
			const kept = state === "last-good" ? this.#kept.get(group.name) : undefined;
			if (fed.list !== null) lists.set(group.name, kept ?? { file, list: fed.list });
		}
		this.#read = lists;
		this.#feeds.retain(new Set(feeds.map(({ file }) => file)));
		return { known, feeds, diagnostics };
	}

	#membersOf(group: AddressGroup, list: GroupMembers["list"]): GroupMembers {
		const before = this.#members.get(group);
		if (before?.list?.sha256 === list?.sha256 && before !== undefined) return before;
		const members = membersOf(group, list);
		this.#members.set(group, members);
		return members;
	}

	/** The document with the members of its groups, or with what is wrong with these. The same for the same groups. */
	link(document: ParsedDocument, known: KnownGroups): ParsedDocument {
		const { policy } = document;
		const wanted = namesIn(document);
		if (policy === null || wanted.length === 0) return document;
		if (networkPart.all([policy]).every((network) => isLinked(network, known))) return document;
		const used = wanted.map((name) => known.get(name));
		const before = this.#linked.get(document);
		const same = before?.used.every((members, i) => members === used[i] && members != null);
		if (before !== undefined && same === true) return before.linked;
		const linked = linkDocument(document, policy, known);
		this.#linked.set(document, { used, linked });
		return linked;
	}

	/** Files and last good versions with the groups that are in force among them. */
	linkFiles(input: LastGoodInput, signed: SignedFeeds | null): LinkedInput {
		const { files, lastGood } = input;
		const nothing = { ...input, feeds: [], diagnostics: [] };
		const concerned =
			files.some(({ documents }) => documents.some(concernsGroups)) ||
			lastGood.some(({ document }) => concernsGroups(document));
		if (!concerned) {
			this.#read = new Map();
			return nothing;
		}
		// A group of a broken file is what it was before, as policies are.
		const inForce = resolveLastGood(input).enforce.map(({ document }) => document);
		const resolved = this.resolve(inForce, signed);
		const { feeds, diagnostics } = resolved;
		const known = new Map(resolved.known);
		// What is not in force, as it is broken or one of two, is another error than what nobody wrote.
		for (const { documents } of files) {
			for (const { kind, name } of documents) {
				if (kind === groupKind && name !== null && !known.has(name)) known.set(name, null);
			}
		}
		return {
			...input,
			files: files.map((file) => {
				const documents = file.documents.map((document) => this.link(document, known));
				return documents.some((document, i) => document !== file.documents[i])
					? { ...file, documents }
					: file;
			}),
			lastGood: lastGood.map((saved) => this.#relink(saved, known)),
			feeds,
			diagnostics,
		};
	}

	/** What stands in for a broken policy goes with its groups, as far as these can be used. */
	#relink(saved: LastGood, known: KnownGroups): LastGood {
		const linked = this.link(saved.document, known);
		return linked === saved.document || !isGood(linked) ? saved : { ...saved, document: linked };
	}
}

export type ListPlaces = Pick<FeedDirectories, "directory" | "origin">;

/** Each file names others from where it lies. */
const whereTheyLie: ListPlaces = { directory: "/", origin: "/" };

/**
 * The documents with the members of the groups that they name, for who enforces nothing: no file's owner is checked, and
 * nothing stands in. What is wrong with the files of groups goes to `diagnostics`.
 */
export function linkAlone(
	documents: readonly ParsedDocument[],
	diagnostics: Diagnostic[],
	where: ListPlaces = whereTheyLie,
): readonly ParsedDocument[] {
	if (!documents.some(concernsGroups)) return documents;
	const groups = new Groups({ ...where, checkPermissions: false });
	const { known, diagnostics: found } = groups.resolve(documents, null);
	diagnostics.push(...found);
	return documents.map((document) => groups.link(document, known));
}

/** The files that have to be signed with these documents, by the names that a manifest gives them, and who names them. */
export function signedFeeds(
	documents: readonly ParsedDocument[],
): readonly { readonly path: string; readonly place: Place }[] {
	return documents.flatMap(({ policy }) => {
		const feed = policy === null ? null : (groupOf(policy)?.feed ?? null);
		if (policy === null || feed === null || feed.unsigned) return [];
		return { path: signedPath(policy.place.file, feed), place: feed.place };
	});
}

function isGood(document: ParsedDocument): document is GoodDocument {
	return document.policy !== null && !isBroken(document);
}

function groupOf(policy: Policy): AddressGroup | null {
	return groupPart.all([policy])[0] ?? null;
}

/** The document with the members of its groups in its rules; broken where one cannot be used. */
export function linkDocument(document: ParsedDocument, policy: Policy, known: KnownGroups): ParsedDocument {
	const found: Diagnostic[] = [];
	const parts = policy.parts.map((part) => {
		const [network] = networkPart.all([{ ...policy, parts: [part] }]);
		if (network === undefined) return part;
		const linked = linkGroups(network, known);
		found.push(...linked.diagnostics);
		return networkPart.wrap(linked.policy);
	});
	const failed = found.some(({ severity }) => severity === "error");
	// What was said about earlier members of a last good version is over.
	const own = document.diagnostics.filter(({ code }) => code !== emptyGroup);
	return { ...document, policy: failed ? null : { ...policy, parts }, diagnostics: [...own, ...found] };
}
