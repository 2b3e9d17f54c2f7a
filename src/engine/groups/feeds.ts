/** The lists of groups that lie in files: read when they changed, held against what was good before. */

import { existsSync } from "node:fs";
import { basename, dirname, isAbsolute, join, normalize, relative } from "node:path";
import { listLimits, parseCidrList } from "../../base/cidr-list.ts";
import type { Diagnostic } from "../../base/diagnostic.ts";
import { printable } from "../../base/suggest.ts";
import type { AddressGroup, BlockList, GroupFeed } from "../../enforcers/network/model.ts";
import { readFeedFile } from "../../source/feed-file.ts";

/** What became of a group's file. Plain data. */
export interface FeedReport {
	readonly group: string;
	/** Where it lies. */
	readonly file: string;
	/** `last-good`: what was good before stands in. `unusable`: nothing does. */
	readonly state: "current" | "last-good" | "unusable";
	/** Of the list that is taken; null where none is. */
	readonly blocks: number | null;
	/** Why the file is not taken, or "". */
	readonly problem: string;
}

/** A list that was in force, and the file that it came from. */
export interface KeptList {
	readonly file: string;
	readonly list: BlockList;
}

/** Hashes of the files that were signed, by the paths that `signedPath` gives. */
export type SignedFeeds = ReadonlyMap<string, string>;

export interface FeedDirectories {
	/** Where the policies lie that are read. */
	readonly directory: string;
	/** What they are, or will be, a copy of; the same for most. A list that does not lie beside a copy is read there. */
	readonly origin: string;
	readonly checkPermissions: boolean;
}

type Parsed =
	| { readonly ok: true; readonly list: BlockList; readonly hostBits: number }
	| { readonly ok: false; readonly diagnostic: Diagnostic };

/** A group with its list, or why it has none, or not the one that its file holds. */
export interface Fed {
	readonly list: BlockList | null;
	readonly report: FeedReport;
	readonly diagnostics: readonly Diagnostic[];
}

/** The name of a group's file in a manifest: from the top of the policy directory, or absolute. */
export function signedPath(policyFile: string, { file }: Pick<GroupFeed, "file">): string {
	return isAbsolute(file) ? normalize(file) : normalize(join(dirname(policyFile), file));
}

/** Whether a name of signedPath's leads to something below the top of the policy directory. */
export function isInside(path: string): boolean {
	return !isAbsolute(path) && path !== ".." && !path.startsWith("../");
}

export class Feeds {
	readonly #where: FeedDirectories;
	readonly #parsed = new Map<string, { readonly stamp: string; readonly parsed: Parsed }>();

	constructor(where: FeedDirectories) {
		this.#where = where;
	}

	/** Bytes of files that were read and are kept here as lists. */
	get length(): number {
		return this.#parsed
			.values()
			.reduce((sum, { parsed }) => sum + (parsed.ok ? parsed.list.blocks.length : 0), 0);
	}

	/** Forgets the files that no group names any more. */
	retain(files: ReadonlySet<string>): void {
		for (const file of this.#parsed.keys()) if (!files.has(file)) this.#parsed.delete(file);
	}

	/**
	 * @param before what was in force of this group; null where nothing was
	 * @param signed null where no signature is required
	 */
	feed(
		{ name, place }: Pick<AddressGroup, "name" | "place">,
		feed: GroupFeed,
		before: KeptList | null,
		signed: SignedFeeds | null,
	): Fed {
		const inside = relative(this.#where.directory, place.file);
		const named = signedPath(inside, feed);
		const path = isAbsolute(named) ? named : join(this.#where.origin, named);
		const parsed = this.#read(path, this.#copyOf(named) ?? path, name, feed);
		const problem = parsed.ok
			? this.#refusal(parsed.list, path, feed, { before, signed, inside })
			: parsed.diagnostic;
		if (parsed.ok && problem === null) {
			const { hostBits } = parsed;
			// The same blocks lie in memory once.
			const list = before?.list.sha256 === parsed.list.sha256 ? before.list : parsed.list;
			if (list !== parsed.list)
				this.#parsed.set(path, { stamp: this.#parsed.get(path)?.stamp ?? "", parsed: { ...parsed, list } });
			const report: FeedReport = {
				...{ group: name, file: path, state: "current", blocks: list.blocks.length, problem: "" },
			};
			return { list, report, diagnostics: hostBits === 0 ? [] : [warnOfHostBits(feed, path, hostBits)] };
		}
		return standIn(name, path, before, problem);
	}

	/** Where a list lies beside a copy of policies; null where it does not, and in the directory itself. */
	#copyOf(named: string): string | null {
		const { directory, origin } = this.#where;
		if (directory === origin || !isInside(named)) return null;
		const copy = join(directory, named);
		return existsSync(copy) ? copy : null;
	}

	/** @param path where it lies, or will once the copy is in its place. @param from where it is read */
	#read(path: string, from: string, group: string, feed: GroupFeed): Parsed {
		const known = this.#parsed.get(path);
		const { checkPermissions } = this.#where;
		const read = readFeedFile(from, known?.stamp ?? null, { checkPermissions, limit: listLimits.bytes });
		if (read.state === "same" && known !== undefined) return known.parsed;
		if (read.state !== "read") {
			this.#parsed.delete(path);
			const { code, message, hint } =
				read.state === "failed"
					? read.problem
					: { code: "unreadable-file", message: "it cannot be read", hint: "" };
			return { ok: false, diagnostic: at(feed, code, `the file of the group ${group}: ${message}`, hint) };
		}
		const parsed = parse(from, group, read);
		this.#parsed.set(path, { stamp: read.stamp, parsed });
		return parsed;
	}

	/** Why a list that can be read is not taken; null where it is. */
	#refusal(
		{ blocks, sha256 }: BlockList,
		path: string,
		feed: GroupFeed,
		about: { readonly before: KeptList | null; readonly signed: SignedFeeds | null; readonly inside: string },
	): Diagnostic | null {
		const { before, signed, inside } = about;
		if (signed !== null && !feed.unsigned) {
			const known = signed.get(signedPath(inside, feed));
			const again = "sign the policies anew, or write unsigned: true in the group before they are signed";
			if (known === undefined)
				return at(feed, "unsigned-feed", `${path} is not among what was signed`, again);
			if (known !== sha256) return at(feed, "altered-feed", `${path} is not as it was signed`, again);
		}
		if (before === null || before.file !== path) return null;
		const had = before.list.blocks.length;
		const lost = had - blocks.length;
		if (lost * 100 <= had * feed.maxShrink) return null;
		const percent = Math.floor((lost * 100) / had);
		const message = `${path} shrank from ${had} to ${blocks.length} blocks (${percent}%), more than maxShrink (${feed.maxShrink}%)`;
		const hint = "see whether the list is whole; where it is meant, raise maxShrink until it is taken";
		return at(feed, "feed-shrank", message, hint);
	}
}

function at({ place }: GroupFeed, code: string, message: string, hint: string): Diagnostic {
	return { ...place, path: "spec.file", severity: "error", code, message: printable(message), hint };
}

function parse(
	path: string,
	group: string,
	{ bytes, sha256 }: { bytes: Uint8Array; sha256: string },
): Parsed {
	const parsed = parseCidrList(bytes);
	if (parsed.ok) return { ok: true, list: { sha256, blocks: parsed.blocks }, hostBits: parsed.hostBits };
	const { line, column, message, hint } = parsed;
	const place = { file: path, line, column, path: "" };
	const text = `${message} (in the list of the group ${group})`;
	return { ok: false, diagnostic: { ...place, severity: "error", code: "bad-list", message: text, hint } };
}

function warnOfHostBits(feed: GroupFeed, path: string, count: number): Diagnostic {
	const message = `${count} blocks of ${basename(path)} have host bits set, which are cleared`;
	return { ...at(feed, "host-bits", message, "write the first address of each block"), severity: "warning" };
}

function standIn(group: string, file: string, before: KeptList | null, found: Diagnostic | null): Fed {
	const stays = before === null ? "" : `; the last good list of ${before.list.blocks.length} blocks stays`;
	const diagnostics = found === null ? [] : [{ ...found, message: `${found.message}${stays}` }];
	const where = found === null || found.file !== file ? "" : `${found.file}:${found.line}:${found.column}: `;
	const report: FeedReport = {
		group,
		file,
		state: before === null ? "unusable" : "last-good",
		blocks: before?.list.blocks.length ?? null,
		problem: `${where}${found?.message ?? ""}`,
	};
	return { list: before?.list ?? null, report, diagnostics };
}
