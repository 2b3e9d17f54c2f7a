/**
 * Small state files that survive a crash at any instant: written beside,
 * synced, renamed over, with a checksum in front so that damage is noticed.
 */

import { createHash } from "node:crypto";
import {
	closeSync,
	constants,
	fsyncSync,
	mkdirSync,
	openSync,
	readFileSync,
	renameSync,
	unlinkSync,
	writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

const magic = "portward-state-1";

export type StateRead =
	| { readonly ok: true; readonly value: unknown }
	/** `absent`: no such file. `damaged`: the checksum or the JSON is wrong. `unreadable`: the system refused. */
	| { readonly ok: false; readonly reason: "absent" | "damaged" | "unreadable"; readonly message: string };

function checksum(body: string): string {
	return createHash("sha256").update(body).digest("hex");
}

function isMissing(error: unknown): boolean {
	return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Reads what `writeState` wrote. */
export function readState(path: string): StateRead {
	let text: string;
	try {
		text = readFileSync(path, "utf8");
	} catch (error) {
		if (isMissing(error)) return { ok: false, reason: "absent", message: `${path} does not exist` };
		return {
			ok: false,
			reason: "unreadable",
			message: error instanceof Error ? error.message : String(error),
		};
	}
	const end = text.indexOf("\n");
	const body = text.slice(end + 1);
	if (text.slice(0, Math.max(end, 0)) !== `${magic} ${checksum(body)}`) {
		return { ok: false, reason: "damaged", message: `${path} is damaged: its checksum does not match` };
	}
	try {
		return { ok: true, value: JSON.parse(body) };
	} catch {
		return { ok: false, reason: "damaged", message: `${path} is damaged: it is not JSON` };
	}
}

/** Writes `value` as JSON, atomically, readable by root only. Returns the system's error text, or null. */
export function writeState(path: string, value: unknown): string | null {
	const body = `${JSON.stringify(value)}\n`;
	const directory = dirname(path);
	const temporary = join(directory, `.${process.pid}.${Date.now().toString(36)}.tmp`);
	try {
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
		const descriptor = openSync(temporary, flags, 0o600);
		try {
			writeAll(descriptor, Buffer.from(`${magic} ${checksum(body)}\n${body}`));
			fsyncSync(descriptor);
		} finally {
			closeSync(descriptor);
		}
		renameSync(temporary, path);
		syncDirectory(directory);
		return null;
	} catch (error) {
		try {
			unlinkSync(temporary);
		} catch {
			// It was never made, or is gone already: nothing is left behind either way.
		}
		return error instanceof Error ? error.message : String(error);
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
