/** Numbers and times in a few columns. Pure. */

const steps: readonly (readonly [number, string])[] = [
	[1e12, "T"],
	[1e9, "G"],
	[1e6, "M"],
	[1e3, "k"],
];

/** At most six characters: `99999`, `100k`, `1.2M`. */
export function compactNumber(value: number): string {
	if (value < 100_000) return String(Math.round(value));
	const [size, letter] = steps.find(([least]) => value >= least) ?? [1, ""];
	const scaled = value / size;
	return `${scaled < 10 ? Math.floor(scaled * 10) / 10 : Math.floor(Math.min(scaled, 9999))}${letter}`;
}

/** How long ago, in at most five characters: `now`, `5s`, `3m`, `2h`, `40d`. @param ms milliseconds; less than none is now */
export function compactAge(ms: number): string {
	const seconds = Math.floor(ms / 1000);
	if (seconds < 1) return "now";
	if (seconds < 60) return `${seconds}s`;
	if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
	if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
	return `${Math.min(9999, Math.floor(seconds / 86_400))}d`;
}

/** The columns that tables are made for. */
export const tableWidth = 80;

/**
 * The text behind a row's first columns, in as many lines as it takes; further ones are indented to where it begins.
 * A word that is longer than a line is cut.
 */
export function hanging(start: string, text: string, width = tableWidth): string {
	const room = Math.max(8, width - start.length);
	if (text.length <= room && !text.startsWith(" ")) return `${start}${text}\n`;
	const lines: string[] = [];
	let line = "";
	for (const word of text.split(" ")) {
		let rest = word;
		if (line !== "" && line.length + 1 + rest.length > room) {
			lines.push(line);
			line = "";
		}
		while (rest.length > room) {
			lines.push(rest.slice(0, room));
			rest = rest.slice(room);
		}
		line = line === "" ? rest : `${line} ${rest}`;
	}
	if (line !== "" || lines.length === 0) lines.push(line);
	return `${start}${lines.join(`\n${" ".repeat(start.length)}`)}\n`;
}
