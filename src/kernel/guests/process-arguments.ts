/** Processes by the name of their command, and what they were started with (proc(5)). */

import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

/** Bytes of a command line that are read. */
const mostBytes = 4096;
/** Processes that are told: whoever runs more of the same command is known well enough. */
const mostProcesses = 4096;

export interface ProcessArguments {
	/** The first 15 bytes of the command's name. */
	readonly process: string;
	/** The command's own name first. */
	readonly args: readonly string[];
}

/**
 * Those whose command has one of the names; none where /proc does not tell.
 * @param root where proc is mounted.
 */
export function processesNamed(names: ReadonlySet<string>, root = "/proc"): ProcessArguments[] {
	const found: ProcessArguments[] = [];
	for (const pid of entries(root)) {
		if (!/^\d+$/u.test(pid)) continue;
		const process = head(join(root, pid, "comm")).trimEnd();
		if (!names.has(process)) continue;
		const args = head(join(root, pid, "cmdline")).split("\0");
		found.push({ process, args: args.at(-1) === "" ? args.slice(0, -1) : args });
		if (found.length === mostProcesses) break;
	}
	return found;
}

function entries(path: string): string[] {
	try {
		return readdirSync(path);
	} catch {
		return [];
	}
}

/** "" where it ended meanwhile. */
function head(path: string): string {
	let file: number | null = null;
	try {
		file = openSync(path, "r");
		const bytes = Buffer.alloc(mostBytes);
		return bytes.toString("utf8", 0, readSync(file, bytes));
	} catch {
		return "";
	} finally {
		if (file !== null) closeSync(file);
	}
}
