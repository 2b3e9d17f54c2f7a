/** Times in UTC as JSON has them. */

const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u;

/** Milliseconds since the epoch of a text such as "2026-11-30T08:00:00.000Z"; NaN of all else. */
export function parseUtc(text: string): number {
	return form.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
}

/** Whether there is such a day: Date.parse takes 2026-11-31 for the day after the 30th. */
export function isDay(day: string): boolean {
	const time = Date.parse(day);
	return Number.isFinite(time) && new Date(time).getUTCDate() === Number(day.slice(-2));
}
