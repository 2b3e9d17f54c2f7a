/** A timer that does not count the time for which the machine, or this process, stood still. */

/** Parts that the time is waited for in. */
const slices = 8;

/**
 * Calls `then` once, after `milliseconds` for which the process ran. A machine that sleeps, and one whose processes are
 * frozen on the way there, holds up no device. Returns what cancels it.
 */
export function awakeTimeout(milliseconds: number, then: () => void): () => void {
	let left = slices;
	const tick = (): void => {
		left -= 1;
		if (left > 0) timer = setTimeout(tick, milliseconds / slices);
		else then();
	};
	let timer = setTimeout(tick, milliseconds / slices);
	return () => clearTimeout(timer);
}
