/** Gives back to the system what this thread has freed. */

import { Libc } from "../../ffi/libc.ts";

/** Collects garbage at once, and gives back whole pages of what is free. */
export function giveBack(): void {
	Bun.gc(true);
	const libc = Libc.open();
	if (libc.ok) libc.libc.trimHeap();
}
