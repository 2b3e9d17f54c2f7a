/** Whether what must be written can be: asked of the file systems whenever the status is. */

import { accessSync, constants, statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { Config } from "../config/model.ts";

/** A state file or a burst of alerts takes some tens of kilobytes. */
const scarceBytes = 64 * 1024;

/** What the operator should know about the disks that state and alerts go to. */
export function storageWarnings({ stateDir, alerts }: Pick<Config, "stateDir" | "alerts">): string[] {
	const state = trouble(stateDir);
	const file = alerts.file === null ? null : trouble(dirname(alerts.file));
	return [
		...(state === null
			? []
			: [
					`${stateDir} ${state}: what changes now is enforced, but after a restart what was saved before stands in`,
				]),
		...(file === null ? [] : [`${alerts.file}: its directory ${file}: alerts go to the other outlets alone`]),
	];
}

/** Null when there is none, or when there is no such directory yet. */
function trouble(directory: string): string | null {
	try {
		const { bavail, bsize } = statfsSync(directory);
		accessSync(directory, constants.W_OK);
		return bavail * bsize < scarceBytes ? "is full" : null;
	} catch (error) {
		const code = error instanceof Error && "code" in error ? error.code : "";
		if (code === "EROFS") return "is read-only";
		return code === "ENOENT" ? null : `cannot be written (${String(code)})`;
	}
}
