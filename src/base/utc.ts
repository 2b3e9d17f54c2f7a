/** Times in UTC as JSON has them. */

const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u;

/** Milliseconds since the epoch of a text such as "2026-11-30T08:00:00.000Z"; NaN of all else. */
export function parseUtc(text: string): number {
	return form.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Whether there is such a day: Date.parse takes 2026-11-31 for the day after the 30th. @param day YYYY-MM-DD */
export function isDay(day: string): boolean {
	const year = Number(day.slice(0, 4));
	const month = Number(day.slice(5, 7));
	const date = Number(day.slice(8));
	const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
	return date >= 1 && date <= (month === 2 && leap ? 29 : (monthDays[month - 1] ?? 0));
}
