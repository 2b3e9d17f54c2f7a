/** Moments that all periodic looks share, so that a processor that sleeps wakes once for all of them. */

/**
 * Milliseconds until the next look.
 * @param now milliseconds of the clock that all share, as performance.now()
 * @param period milliseconds between two looks, 1 or more; those of periods that divide each other fall together
 * @returns from half a period to one and a half, since a timer may fire a little early and must not fire twice
 */
export function untilTick(now: number, period: number): number {
	const left = period - (now % period);
	return Math.ceil(left < period / 2 ? left + period : left);
}
