/**
 * Who may change what a root daemon obeys. A policy that another user can
 * write is that user's way to open or close the host's ports.
 */

import type { Stats } from "node:fs";

const writableByOthers = 0o022;
const sticky = 0o1000;

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

/**
 * The same of a directory on the way to `what`. In one that is root's and sticky, as /tmp is, others may make entries,
 * but not exchange those of root; whether the next one is root's is checked there.
 */
export function distrustParent(
	path: string,
	what: string,
	stats: Pick<Stats, "uid" | "mode">,
): { message: string; hint: string } | null {
	const shared = stats.uid === 0 && (stats.mode & sticky) !== 0;
	return shared ? null : distrust(`${path}, on the way to ${what},`, stats);
}
