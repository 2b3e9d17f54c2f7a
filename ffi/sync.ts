/** Puts everything that was written to a file system on its disk at once: syncfs(2), which Bun has no call for. */

import { closeSync, constants, openSync } from "node:fs";
import { Libc } from "./libc.ts";

/**
 * Blocks the thread, for as long as the disk takes over what others have written there as well.
 * @param path a directory on the file system.
 */
export function syncFileSystem(
	path: string,
): { readonly ok: true } | { readonly ok: false; readonly error: string } {
	const library = Libc.open();
	if (!library.ok) return { ok: false, error: library.reason };
	let descriptor: number;
	try {
		descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
	} catch (error) {
		return { ok: false, error: error instanceof Error ? error.message : String(error) };
	}
	const synced = library.libc.syncfs(descriptor);
	closeSync(descriptor);
	return synced.ok ? { ok: true } : { ok: false, error: synced.error };
}
