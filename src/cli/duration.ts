/** Durations of the command line: 90s, 10m, 2h. */

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Whole seconds, at least one; null for what is no duration. */
export function parseDuration(text: string): number | null {
	const [, digits = "", unit = ""] = /^([1-9][0-9]{0,5})([smh])$/.exec(text) ?? [];
	const factor = units[unit];
	return factor === undefined ? null : Number(digits) * factor;
}
