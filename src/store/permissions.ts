/**
 * Who may change what a root daemon obeys. A policy that another user can
 * write is that user's way to open or close the host's ports.
 */

import type { Stats } from "node:fs";

const writableByOthers = 0o022;

/** Why a file or directory must not be trusted, or null. `what` begins the sentence. */
export function distrust(
	what: string,
	stats: Pick<Stats, "uid" | "mode">,
): { message: string; hint: string } | null {
	if (stats.uid !== 0) {
		return {
			message: `${what} is owned by user ${stats.uid}, not by root`,
			hint: "chown it to root, or start with --insecure-permissions",
		};
	}
	if ((stats.mode & writableByOthers) !== 0) {
		return {
			message: `${what} can be written by others than root (mode ${(stats.mode & 0o7777).toString(8).padStart(4, "0")})`,
			hint: "run chmod go-w on it, or start with --insecure-permissions",
		};
	}
	return null;
}
