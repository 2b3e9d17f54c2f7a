/**
 * The record that `portward panic-open` opened the network table. While its
 * file exists, every start, reload, repair and restore leaves the table open.
 */

import { basename, join } from "node:path";
import { errorCode, errorText, HeldDirectory, type HeldOptions } from "../source/held-directory.ts";
import { distrust } from "../source/permissions.ts";
import { previousPath, readState, removeState, writeState } from "./state-file.ts";

export interface PanicRecord {
	/** When it was opened, in milliseconds since the epoch. */
	readonly since: number;
	/** One line of printable text, at most `longestReason` characters. */
	readonly reason: string;
}

export type PanicRead =
	/** `problem`: why it is not known whether there is a record; null where there is certainly none. */
	| { readonly open: false; readonly problem: string | null }
	/** `problem`: why the record cannot be read; it counts all the same. */
	| { readonly open: true; readonly record: PanicRecord; readonly problem: string | null };

/** Code points of a reason. */
export const longestReason = 300;

/** Controls, format and bidi characters, line separators, lone surrogates. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]+/gu;

/** RFC 3339 can write no later time: the year 9999 ends here. */
const latest = Date.UTC(9999, 11, 31);

export function panicPath(stateDirectory: string): string {
	return join(stateDirectory, "panic.json");
}

/** A reason as one bounded line without control characters; "" when nothing printable is in it. */
export function cleanReason(text: string): string {
	// Cut before it is searched: what comes from a file may be megabytes. A code point is at most two units.
	const line = text.slice(0, 4 * longestReason).replace(unprintable, " ");
	return [...line.trim()].slice(0, longestReason).join("").trim();
}

/**
 * Whether the table is to be open. Only panic-open makes the file, in one
 * rename, and only resume removes it; so a damaged one says that the table was
 * opened, and damage must not close it behind the operator's back. What others
 * than root can write, the way to it included, says nothing: it is a problem.
 */
export function readPanic(
	stateDirectory: string,
	options: HeldOptions = { checkPermissions: true },
): PanicRead {
	const opened = HeldDirectory.open(stateDirectory, "the state directory", options);
	if (!opened.ok) {
		const { reason, message, hint } = opened;
		const problem = hint === "" ? message : `${message}; ${hint}`;
		return { open: false, problem: reason === "absent" ? null : problem };
	}
	using directory = opened.directory;
	const held = (text: string) => text.replaceAll(directory.at(""), join(stateDirectory, "/"));
	try {
		const read = readRecord(directory, options);
		return read.problem === null ? read : { ...read, problem: held(read.problem) };
	} catch (error) {
		if (errorCode(error) === null) throw error;
		return { open: false, problem: errorText(error) };
	}
}

/** Both looks are at one directory, whatever its name leads to meanwhile. Problems name the path of the descriptor. */
function readRecord(directory: HeldDirectory, { checkPermissions }: HeldOptions): PanicRead {
	const path = directory.at(basename(panicPath("")));
	const stats = directory.look(basename(path));
	if (stats === null) return { open: false, problem: null };
	const modified = stats.mtimeMs;
	for (const file of checkPermissions ? [path, previousPath(path)] : []) {
		const found = directory.look(basename(file));
		// A link's mode says nothing.
		const refused = found && distrust(file, found.isSymbolicLink() ? { uid: found.uid, mode: 0 } : found);
		if (refused !== null) return { open: false, problem: `${refused.message}; ${refused.hint}` };
	}
	if (!stats.isFile()) return damaged(modified, `${path} is not a regular file`);
	const state = readState(path);
	if (!state.ok) {
		// Removed since it was looked at.
		if (state.reason === "absent") return { open: false, problem: null };
		return damaged(modified, state.message);
	}
	const record = parseRecord(state.value);
	return record === null
		? damaged(modified, `${path} is not what portward wrote`)
		: { open: true, record, problem: state.problem };
}

/**
 * Records durably that the table is open. A record that stands keeps its time. Returns an error text, or null. A
 * record that nobody will believe, as others can write to it or to the way to it, is an error too.
 */
export function writePanic(stateDirectory: string, reason: string, now: number): string | null {
	const present = readPanic(stateDirectory);
	const since = present.open ? present.record.since : now;
	const unwritten = writeState(panicPath(stateDirectory), { since, reason: cleanReason(reason) });
	if (unwritten !== null) return unwritten;
	const written = readPanic(stateDirectory);
	return written.open ? null : (written.problem ?? "the record has gone again");
}

/** Removes the record; `removed` says whether there was one. */
export function clearPanic(
	stateDirectory: string,
): { readonly ok: true; readonly removed: boolean } | { readonly ok: false; readonly error: string } {
	const present = readPanic(stateDirectory, { checkPermissions: false });
	const error = removeState(panicPath(stateDirectory));
	return error === null ? { ok: true, removed: present.open } : { ok: false, error };
}

function damaged(modified: number, problem: string): PanicRead {
	const since = inRange(modified) ? Math.floor(modified) : 0;
	return { open: true, record: { since, reason: "the record of panic-open is damaged" }, problem };
}

function parseRecord(value: unknown): PanicRecord | null {
	if (typeof value !== "object" || value === null) return null;
	const since: unknown = "since" in value ? value.since : null;
	const reason: unknown = "reason" in value ? value.reason : null;
	if (typeof since !== "number" || !inRange(since) || typeof reason !== "string") return null;
	return { since, reason: cleanReason(reason) };
}

function inRange(time: number): boolean {
	return time >= 0 && time <= latest;
}
