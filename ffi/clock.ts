/** The clock that runs from boot on, also while the machine sleeps, and that nobody can set (clock_gettime(2)). */

import { CLOCK_BOOTTIME } from "./constants.ts";
import { Libc } from "./libc.ts";

/**
 * Seconds since boot, with a fraction: CLOCK_BOOTTIME.
 * @throws Error where the C library cannot be opened or the kernel is older than 2.6.39, on which nothing else runs.
 */
export function bootTime(): number {
	const library = Libc.open();
	if (!library.ok) throw new Error(library.reason);
	const time = new BigInt64Array(2);
	const read = library.libc.clockGetTime(CLOCK_BOOTTIME, time);
	if (!read.ok) throw new Error(read.error);
	return Number(time[0]) + Number(time[1]) / 1e9;
}
