/**
 * Gives the pages of the executable's code back that starting has read. They
 * are the file's own, unchanged, and most of them are never needed again; one
 * that is comes back from the page cache (madvise(2), MADV_DONTNEED).
 */

import { readFileSync } from "node:fs";
import { MADV_DONTNEED } from "./constants.ts";
import { Libc } from "./libc.ts";

/** The part of a process's memory that one line of proc_pid_maps(5) describes. */
export interface Mapping {
	readonly start: bigint;
	readonly bytes: bigint;
}

/** The mappings of a file's code in the text of /proc/PID/maps: private, executable, and never written. */
export function codeMappings(maps: string, path: string): readonly Mapping[] {
	return maps.split("\n").flatMap((line) => {
		const parts = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) r-xp [0-9a-f]+ \S+ \d+\s+(.*)$/.exec(line);
		if (parts === null || parts[3] !== path) return [];
		const start = BigInt(`0x${parts[1]}`);
		return [{ start, bytes: BigInt(`0x${parts[2]}`) - start }];
	});
}

/** Returns the bytes that were given back; a refusal costs memory and nothing else. */
export function releaseCodePages(): bigint {
	const library = Libc.open();
	if (!library.ok) return 0n;
	return codeMappings(readFileSync("/proc/self/maps", "utf8"), process.execPath)
		.filter(({ start, bytes }) => library.libc.madvise(start, bytes, MADV_DONTNEED).ok)
		.reduce((sum, { bytes }) => sum + bytes, 0n);
}
