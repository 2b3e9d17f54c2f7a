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

/** struct timex of linux/timex.h, on machines of 64 bits. */
const TIMEX_BYTES = 208;
const STATUS_AT = 40;
const STA_UNSYNC = 0x40;

/** Whether something keeps the wall clock right, as the kernel has it (adjtimex(2)). Null where it does not say. */
export function clockSynchronized(): boolean | null {
	const library = Libc.open();
	if (!library.ok) return null;
	const timex = new Uint8Array(TIMEX_BYTES);
	if (!library.libc.readClockState(timex).ok) return null;
	return (new DataView(timex.buffer).getInt32(STATUS_AT, true) & STA_UNSYNC) === 0;
}
