/**
 * Small state files that survive a crash at any instant: written beside,
 * synced, renamed over, with a checksum in front so that damage is noticed.
 * The version before stays as NAME.previous.json, and stands in for a newer
 * one that is damaged.
 */

import { createHash } from "node:crypto";
import {
	closeSync,
	constants,
	fstatSync,
	fsyncSync,
	linkSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	readSync,
	renameSync,
	unlinkSync,
	writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

const magic = "portward-state-1";

/** More than the ruleset of the most elements that the settings allow; what is larger is not ours. */
const maxBytes = 1024 * 1024 * 1024;

const newline = 0x0a;

export type StateRead =
	/** `problem`: why the newest version was not used but the one before, for a person to read; null when it was. */
	| { readonly ok: true; readonly value: unknown; readonly problem: string | null }
	/** `absent`: no such file. `damaged`: the checksum or the JSON is wrong. `unreadable`: the system refused. */
	| { readonly ok: false; readonly reason: "absent" | "damaged" | "unreadable"; readonly message: string };

/** Where the version before the newest is kept: `boot.json` → `boot.previous.json`. */
export function previousPath(path: string): string {
	return path.endsWith(".json") ? `${path.slice(0, -".json".length)}.previous.json` : `${path}.previous`;
}

/** Reads what `writeState` wrote: the newest version that is whole. */
export function readState(path: string): StateRead {
	const newest = readVersion(path);
	if (newest.ok) return newest;
	const previous = readVersion(previousPath(path));
	if (previous.ok) return { ...previous, problem: `${newest.message}; the version before it is used` };
	if (previous.reason === "absent") return newest;
	// Nothing at the newest one's place, but something damaged at the other's: it is not the first start.
	return newest.reason === "absent"
		? previous
		: { ...newest, message: `${newest.message}; ${previous.message}` };
}

/**
 * Writes `value` as JSON, atomically, readable by root only; what is there
 * already is not written again. Returns the system's error text, or null.
 * After an error, such as a full disk, what was there still is.
 */
export function writeState(path: string, value: unknown): string | null {
	const body = Buffer.from(`${JSON.stringify(value)}\n`);
	const header = `${magic} ${checksum(body)}\n`;
	const directory = dirname(path);
	try {
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		const present = wholeHeader(path);
		if (present === header) return null;
		removeLeftovers(path);
		writeBeside(path, [Buffer.from(header), body]);
		// A damaged version must not take the place of a whole one.
		if (present !== null) keepPrevious(path);
		renameSync(temporary(path, "new"), path);
		syncDirectory(directory);
		return null;
	} catch (error) {
		removeLeftovers(path);
		return text(error);
	}
}

/** Removes every version. Returns the system's error text, or null; what is not there is no error. */
export function removeState(path: string): string | null {
	try {
		// The newest goes last: the one before it must never stand in for what was removed.
		for (const file of [previousPath(path), path]) {
			if (unlink(file)) syncDirectory(dirname(path));
		}
		return null;
	} catch (error) {
		return text(error);
	}
}

/** Takes the newest version away, but keeps it: `NAME.damaged.json`. Null where nothing could be renamed. */
export function setAside(path: string): string | null {
	const aside = `${path.endsWith(".json") ? path.slice(0, -".json".length) : path}.damaged.json`;
	try {
		renameSync(path, aside);
		syncDirectory(dirname(path));
		return aside;
	} catch {
		return null;
	}
}

function checksum(body: Uint8Array): string {
	return createHash("sha256").update(body).digest("hex");
}

function text(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

function hasCode(error: unknown, code: string): boolean {
	return error instanceof Error && "code" in error && error.code === code;
}

export function readVersion(path: string): StateRead {
	const whole = readWhole(path);
	if (!whole.ok) return whole;
	try {
		return { ok: true, value: JSON.parse(whole.body.toString("utf8")), problem: null };
	} catch {
		return { ok: false, reason: "damaged", message: `${path} is damaged: it is not JSON` };
	}
}

type Whole =
	| { readonly ok: true; readonly header: string; readonly body: Buffer }
	| Extract<StateRead, { ok: false }>;

/** The checksum is over bytes: many broken texts decode to the same characters. */
function readWhole(path: string): Whole {
	let bytes: Buffer;
	try {
		bytes = readBounded(path);
	} catch (error) {
		if (hasCode(error, "ENOENT")) return { ok: false, reason: "absent", message: `${path} does not exist` };
		return { ok: false, reason: "unreadable", message: text(error) };
	}
	const end = bytes.indexOf(newline) + 1;
	const header = bytes.subarray(0, end).toString("latin1");
	const body = bytes.subarray(end);
	if (header !== `${magic} ${checksum(body)}\n`)
		return { ok: false, reason: "damaged", message: `${path} is damaged: its checksum does not match` };
	return { ok: true, header, body };
}

/** So many bytes of a version are looked at at once: it may be larger than all else in memory. */
const chunkBytes = 1024 * 1024;

/** The header of a version that is whole, read piece by piece; null where there is none. It holds the checksum of the rest. */
function wholeHeader(path: string): string | null {
	let descriptor: number;
	try {
		descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	} catch {
		return null;
	}
	try {
		const stats = fstatSync(descriptor);
		if (!stats.isFile() || stats.size > maxBytes) return null;
		const chunk = Buffer.alloc(chunkBytes);
		const hash = createHash("sha256");
		let header: string | null = null;
		for (let count = readSync(descriptor, chunk); count > 0; count = readSync(descriptor, chunk)) {
			const bytes = chunk.subarray(0, count);
			// The first piece is longer than a header.
			const end: number = header === null ? bytes.indexOf(newline) + 1 : 0;
			header ??= bytes.subarray(0, end).toString("latin1");
			hash.update(bytes.subarray(end));
		}
		return header === `${magic} ${hash.digest("hex")}\n` ? header : null;
	} catch {
		return null;
	} finally {
		closeSync(descriptor);
	}
}

function readBounded(path: string): Buffer {
	const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	try {
		const stats = fstatSync(descriptor);
		if (!stats.isFile() || stats.size > maxBytes) throw new Error(`${path} is no state file`);
		return readFileSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}

/** Named by the process, so that two that write at once never share one. */
function temporary(path: string, kind: "new" | "old"): string {
	return join(dirname(path), `.${basename(path)}.${process.pid}.${kind}.tmp`);
}

function writeBeside(path: string, parts: readonly Buffer[]): void {
	const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
	const descriptor = openSync(temporary(path, "new"), flags, 0o600);
	try {
		for (const part of parts) writeAll(descriptor, part);
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}

/** Gives the newest version its second name while it keeps its first: there is never an instant without one. */
function keepPrevious(path: string): void {
	const old = temporary(path, "old");
	linkSync(path, old);
	renameSync(old, previousPath(path));
	// rename(2) does nothing where both names are the same file already.
	unlink(old);
}

/** What a process that was killed left beside the file: this one's, and those of processes that are no more. */
function removeLeftovers(path: string): void {
	const ours = new RegExp(`^\\.${RegExp.escape(basename(path))}\\.(\\d+)\\.(?:new|old)\\.tmp$`, "u");
	try {
		for (const name of readdirSync(dirname(path))) {
			const pid = Number(ours.exec(name)?.[1] ?? "0");
			if (pid === process.pid || (pid > 0 && !isAlive(pid))) unlink(join(dirname(path), name));
		}
	} catch (error) {
		// They cost room, nothing else: no reason not to write.
		if (!(error instanceof Error && "code" in error)) throw error;
	}
}

function isAlive(pid: number): boolean {
	try {
		return process.kill(pid, 0);
	} catch (error) {
		return !hasCode(error, "ESRCH");
	}
}

/** False when there was nothing. */
function unlink(path: string): boolean {
	try {
		unlinkSync(path);
		return true;
	} catch (error) {
		if (hasCode(error, "ENOENT")) return false;
		throw error;
	}
}

function writeAll(descriptor: number, bytes: Buffer): void {
	for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
}

/** A rename is on disk only when its directory is. */
function syncDirectory(directory: string): void {
	const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}
