/**
 * Gives the pages of the executable back that starting has read: code,
 * constants and the program. They are the file's own, unchanged, and most of
 * them are never needed again; one that is comes back from the page cache, or
 * from the file (madvise(2)).
 */

import { readFileSync } from "node:fs";
import { MADV_DONTNEED, MADV_PAGEOUT } from "./constants.ts";
import { Libc } from "./libc.ts";

/** The part of a process's memory that one line of proc_pid_maps(5) describes. */
export interface Mapping {
	readonly start: bigint;
	readonly bytes: bigint;
	/** Nobody writes here. Of other mappings some pages may have been changed, also before they became read-only. */
	readonly code: boolean;
}

/** The private mappings of a file in the text of /proc/PID/maps, but those that are writable code. */
export function fileMappings(maps: string, path: string): readonly Mapping[] {
	return maps.split("\n").flatMap((line) => {
		const parts = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) r(-[-x]|w-)p [0-9a-f]+ \S+ \d+\s+(.*)$/.exec(line);
		if (parts === null || parts[4] !== path) return [];
		const start = BigInt(`0x${parts[1]}`);
		return [{ start, bytes: BigInt(`0x${parts[2]}`) - start, code: parts[3] === "-x" }];
	});
}

/** Returns the bytes of the mappings that were given back; a refusal costs memory and nothing else. */
export function releaseCodePages(): bigint {
	const library = Libc.open();
	if (!library.ok) return 0n;
	return (
		fileMappings(readFileSync("/proc/self/maps", "utf8"), process.execPath)
			// What was changed must stay: where that may be, the kernel chooses the pages that the file still has (Linux 5.4).
			.filter(
				({ start, bytes, code }) =>
					library.libc.madvise(start, bytes, code ? MADV_DONTNEED : MADV_PAGEOUT).ok,
			)
			.reduce((sum, { bytes }) => sum + bytes, 0n)
	);
}
