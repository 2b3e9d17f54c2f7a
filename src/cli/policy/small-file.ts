/** Reads keys and other files that are small, whatever lies at the path that was named. */

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

/** A key has some hundred bytes. */
const maxBytes = 64 * 1024;

export type SmallFile =
	| { readonly ok: true; readonly text: string; readonly mode: number }
	| { readonly ok: false; readonly message: string };

/** Regular files of at most 64 KiB; a FIFO must not hang the command. */
export function readSmallFile(path: string): SmallFile {
	try {
		const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
		try {
			const stats = fstatSync(descriptor);
			if (!stats.isFile() || stats.size > maxBytes)
				return { ok: false, message: `${path} is no file of at most ${maxBytes} bytes` };
			return { ok: true, text: readFileSync(descriptor, "utf8"), mode: stats.mode };
		} finally {
			closeSync(descriptor);
		}
	} catch (error) {
		if (!(error instanceof Error && "code" in error)) throw error;
		return { ok: false, message: error.message };
	}
}
