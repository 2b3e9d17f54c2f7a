/** Two names change places in one step: renameat2(2) with RENAME_EXCHANGE, which Bun has no call for. */

import { AT_FDCWD, RENAME_EXCHANGE } from "./constants.ts";
import { Libc } from "./libc.ts";

/** asm/unistd_64.h, asm-generic/unistd.h */
const renameat2: Readonly<Record<string, number>> = { x64: 316, arm64: 276 };

/**
 * After it, each path names what the other named before, and nobody ever sees
 * anything else. Both must exist, on one file system.
 */
export function exchangePaths(
	one: string,
	other: string,
): { readonly ok: true } | { readonly ok: false; readonly error: string } {
	const library = Libc.open();
	if (!library.ok) return { ok: false, error: library.reason };
	const number = renameat2[process.arch];
	if (number === undefined) return { ok: false, error: `renameat2 has no known number on ${process.arch}` };
	const [from, to] = [place(one), place(other)];
	const renamed = library.libc.renameAt2(number, from, to, RENAME_EXCHANGE);
	return renamed.ok ? { ok: true } : { ok: false, error: renamed.error };
}

/** @throws TypeError for a NUL in the path, a bug of the caller. */
function place(path: string) {
	if (path.includes("\0")) throw new TypeError("a path cannot hold a NUL character");
	return { fd: AT_FDCWD, path: Buffer.from(`${path}\0`) };
}
