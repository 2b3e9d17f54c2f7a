/**
 * What to enforce out of everything on disk and everything that was good
 * before. One broken document keeps its own last good version and disturbs
 * nothing else.
 *
 * A "slot" is a document's (path, index). A document on disk is paired with a
 * saved version of the same file: first the one with the same index and name,
 * then the one with the same kind and name (documents were inserted or
 * removed before it), then the one with the same index. Each saved version is
 * paired at most once.
 *
 * | on disk                                        | enforced                | saved afterwards |
 * |------------------------------------------------|-------------------------|------------------|
 * | valid, name unique                             | the document            | the document     |
 * | valid, name taken, text equal to its saved one | the document            | the document     |
 * | valid, name taken, otherwise                   | its saved version if any| that version     |
 * | an error in it                                 | its saved version if any| that version     |
 * | absent, its file is whole                      | nothing (deleted)       | nothing          |
 * | absent, its file is broken                     | its saved version       | that version     |
 * | its file absent, a directory above is broken   | its saved version       | that version     |
 * | its file absent, the directory is there        | nothing (deleted)       | nothing          |
 * | the directory vanished                         | every saved version     | that version     |
 *
 * A name is taken when another valid document has it, or when a saved version
 * that stays in force has it. A file is broken when it cannot be read, is
 * empty or has a syntax error; so is a directory, or what was one, that cannot
 * be followed: a link that leads out or nowhere, or one that others can write
 * to. It stands under its own path, and for all that was below. Broken documents take no names: a half-edited
 * copy must not take its original down.
 */

import type { Diagnostic, Place } from "../base/diagnostic.ts";
import type { Policy } from "../document/kind.ts";
import { isBroken, type ParsedDocument } from "../document/parse.ts";

/** A document that is valid and enforceable. */
export interface GoodDocument extends ParsedDocument {
	readonly policy: Policy;
}

/** A file of the policy directory as it was read now. `broken`: unreadable, empty or with a syntax error. */
export interface DiskFile {
	readonly path: string;
	readonly state: "ok" | "broken";
	readonly documents: readonly ParsedDocument[];
}

/** A version that was enforced before, under its slot. */
export interface LastGood {
	readonly path: string;
	readonly index: number;
	readonly document: GoodDocument;
}

export interface LastGoodInput {
	readonly files: readonly DiskFile[];
	/** The directory itself cannot be read: `files` proves no deletion. */
	readonly directoryVanished: boolean;
	readonly lastGood: readonly LastGood[];
}

export interface EnforcedDocument {
	readonly path: string;
	readonly document: GoodDocument;
	readonly origin: "current" | "last-good";
}

export interface DocumentStatus {
	readonly path: string;
	/** The document on disk; for a version whose document is missing, that version. */
	readonly document: ParsedDocument;
	/** `rejected`: nothing stands in for it. `last-good` of a broken directory: what was below is still enforced. */
	readonly state: "current" | "last-good" | "rejected";
	/** The version that is enforced in its place; null when none is. */
	readonly enforced: GoodDocument | null;
	/** The document's own and those about its name. */
	readonly diagnostics: readonly Diagnostic[];
}

export interface LastGoodResult {
	/** Unique by kind and name; ordered by path and index. */
	readonly enforce: readonly EnforcedDocument[];
	/** To be saved in place of the previous set; (path, index) is unique. */
	readonly lastGood: readonly LastGood[];
	readonly statuses: readonly DocumentStatus[];
}

function isGood(document: ParsedDocument): document is GoodDocument {
	return document.policy !== null && !isBroken(document);
}

function nameKey(document: ParsedDocument): string | null {
	return document.kind === null || document.name === null ? null : `${document.kind}/${document.name}`;
}

/** An error for each valid document whose kind and name another one has too; each names the first other place. */
export function findDuplicateNames(
	documents: readonly ParsedDocument[],
): ReadonlyMap<ParsedDocument, Diagnostic> {
	const holders = new Map<string, ParsedDocument[]>();
	for (const document of documents) {
		const key = isBroken(document) ? null : nameKey(document);
		if (key === null) continue;
		const known = holders.get(key);
		if (known === undefined) holders.set(key, [document]);
		else known.push(document);
	}
	const duplicates = new Map<ParsedDocument, Diagnostic>();
	for (const [first, second, ...more] of holders.values()) {
		if (first === undefined || second === undefined) continue;
		duplicates.set(first, duplicateName(first, second.place));
		for (const document of [second, ...more]) duplicates.set(document, duplicateName(document, first.place));
	}
	return duplicates;
}

function duplicateName(document: ParsedDocument, other: Place, suffix = ""): Diagnostic {
	return {
		...document.place,
		path: "metadata.name",
		severity: "error",
		code: "duplicate-name",
		message: `the name ${document.name} is also used at ${other.file}:${other.line}:${other.column}${suffix}`,
		hint: "give each policy a name of its own",
	};
}

interface Slot {
	readonly path: string;
	readonly document: ParsedDocument;
	readonly saved: LastGood | null;
	/** Why the document is not enforced although it is valid. */
	conflict: Diagnostic | null;
	keepsSaved: boolean;
	/** It cannot be followed, and the saved versions of what lay below stand in. */
	standIns: boolean;
}

/** Applies the table above. Pure: equal input, equal result, in any order of `files` and `lastGood`. */
export function resolveLastGood(input: LastGoodInput): LastGoodResult {
	const files = input.files.toSorted((a, b) => compareText(a.path, b.path));
	const savedByPath = Map.groupBy(input.lastGood.toSorted(bySlot), (saved) => saved.path);
	const slots: Slot[] = [];
	const orphans: LastGood[] = [];
	for (const file of files) {
		const unpaired = new Set(savedByPath.get(file.path));
		savedByPath.delete(file.path);
		const pairs = pair(file.documents, unpaired);
		for (const document of file.documents) {
			const saved = pairs.get(document) ?? null;
			const keepsSaved = isBroken(document);
			slots.push({ path: file.path, document, saved, conflict: null, keepsSaved, standIns: false });
		}
		if (file.state === "ok" && !input.directoryVanished) continue;
		// Behind the documents that are there, so that none of those is taken for its successor next time.
		const behind = file.documents.length;
		for (const saved of unpaired) orphans.push({ ...saved, index: Math.max(saved.index, behind) });
	}
	const standIns = input.directoryVanished ? null : below(files, savedByPath);
	for (const [path, saved] of savedByPath) {
		if (standIns === null || standIns.has(path)) orphans.push(...saved);
	}
	const replaced = new Set(standIns?.values());
	for (const slot of slots) slot.standIns = replaced.has(slot.path);
	settleNames(slots, orphans);
	return collect(slots, orphans);
}

/** Of the saved paths, those below something that is broken, each with the path of that. */
function below(
	files: readonly DiskFile[],
	savedByPath: ReadonlyMap<string, readonly LastGood[]>,
): Map<string, string> {
	const broken = new Set(files.filter((file) => file.state === "broken").map((file) => file.path));
	const found = new Map<string, string>();
	for (const path of broken.size === 0 ? [] : savedByPath.keys()) {
		for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) {
			if (broken.has(path.slice(0, end))) found.set(path, path.slice(0, end));
		}
	}
	return found;
}

/** Pairs documents with saved versions, removing the paired ones from `unpaired`. */
function pair(documents: readonly ParsedDocument[], unpaired: Set<LastGood>): Map<ParsedDocument, LastGood> {
	const pairs = new Map<ParsedDocument, LastGood>();
	const byIndex = new Map([...unpaired].map((saved) => [saved.index, saved]));
	const byName = Map.groupBy(unpaired, (saved) => nameKey(saved.document));
	const claim = (candidate: (document: ParsedDocument) => LastGood | undefined): void => {
		for (const document of documents) {
			const saved = pairs.has(document) ? undefined : candidate(document);
			if (saved === undefined || !unpaired.delete(saved)) continue;
			pairs.set(document, saved);
		}
	};
	const named = (document: ParsedDocument): LastGood | undefined => {
		const key = nameKey(document);
		return key === null ? undefined : byName.get(key)?.find((saved) => unpaired.has(saved));
	};
	claim((document) => {
		const saved = byIndex.get(document.index);
		return saved && nameKey(saved.document) === nameKey(document) ? saved : undefined;
	});
	claim(named);
	claim((document) => byIndex.get(document.index));
	return pairs;
}

/** Decides which valid documents lose their name to another, until nothing changes. */
function settleNames(slots: readonly Slot[], orphans: readonly LastGood[]): void {
	const duplicates = findDuplicateNames(slots.map((slot) => slot.document));
	for (const slot of slots) {
		const duplicate = duplicates.get(slot.document);
		if (duplicate === undefined) continue;
		slot.conflict = duplicate;
		slot.keepsSaved = slot.saved !== null && !isUnchanged(slot);
	}
	for (let changed = true; changed; ) {
		changed = false;
		const held = new Map<string, { place: Place; slot: Slot | null }>();
		for (const saved of orphans) hold(held, saved.document, null);
		for (const slot of slots)
			if (slot.keepsSaved && slot.saved !== null) hold(held, slot.saved.document, slot);
		for (const slot of slots) {
			if (slot.conflict !== null || !isGood(slot.document) || isUnchanged(slot)) continue;
			const holder = held.get(nameKey(slot.document) ?? "");
			if (holder === undefined || holder.slot === slot) continue;
			const suffix = " by the last good version that stays in force";
			slot.conflict = duplicateName(slot.document, holder.place, suffix);
			slot.keepsSaved = slot.saved !== null;
			changed = true;
		}
	}
}

function hold(
	held: Map<string, { place: Place; slot: Slot | null }>,
	document: GoodDocument,
	slot: Slot | null,
): void {
	const key = nameKey(document);
	if (key !== null && !held.has(key)) held.set(key, { place: document.place, slot });
}

/** The same text under the same name was in force before, so enforcing it is nothing new. */
function isUnchanged(slot: Slot): boolean {
	const saved = slot.saved?.document;
	return (
		saved !== undefined &&
		isGood(slot.document) &&
		nameKey(saved) === nameKey(slot.document) &&
		saved.source === slot.document.source
	);
}

function collect(slots: readonly Slot[], orphans: readonly LastGood[]): LastGoodResult {
	const enforce: EnforcedDocument[] = [];
	const statuses: DocumentStatus[] = [];
	const kept: { path: string; wanted: number; document: GoodDocument }[] = [];
	const names = new Set<string>();
	const take = (
		path: string,
		index: number,
		document: GoodDocument,
		origin: "current" | "last-good",
	): boolean => {
		const key = nameKey(document) ?? "";
		if (names.has(key)) return false;
		names.add(key);
		enforce.push({ path, document, origin });
		kept.push({ path, wanted: index, document });
		return true;
	};
	for (const slot of slots) {
		const { path, document, saved } = slot;
		const diagnostics =
			slot.conflict === null ? document.diagnostics : [...document.diagnostics, slot.conflict];
		let state: DocumentStatus["state"] = "rejected";
		let enforced: GoodDocument | null = null;
		if (isGood(document) && (slot.conflict === null || isUnchanged(slot))) {
			if (take(path, document.index, document, "current")) [state, enforced] = ["current", document];
		} else if (slot.keepsSaved && saved !== null) {
			if (take(path, document.index, saved.document, "last-good"))
				[state, enforced] = ["last-good", saved.document];
		} else if (slot.standIns) state = "last-good";
		statuses.push({ path, document, state, enforced, diagnostics });
	}
	for (const { path, index, document } of orphans) {
		if (!take(path, index, document, "last-good")) continue;
		statuses.push({
			path,
			document,
			state: "last-good",
			enforced: document,
			diagnostics: document.diagnostics,
		});
	}
	const order = (a: EnforcedDocument, b: EnforcedDocument): number =>
		compareText(a.path, b.path) || a.document.index - b.document.index;
	return { enforce: enforce.sort(order), lastGood: assignSlots(kept), statuses };
}

/** Gives each version the index it wants, or the next free one of its file: `kept` starts with the documents on disk. */
function assignSlots(kept: readonly { path: string; wanted: number; document: GoodDocument }[]): LastGood[] {
	const taken = new Map<string, Set<number>>();
	const result = kept.map(({ path, wanted, document }) => {
		const used = taken.get(path) ?? new Set<number>();
		taken.set(path, used);
		let index = wanted;
		while (used.has(index)) index++;
		used.add(index);
		return { path, index, document };
	});
	return result.sort(bySlot);
}

function bySlot(a: LastGood, b: LastGood): number {
	return compareText(a.path, b.path) || a.index - b.index;
}

function compareText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
