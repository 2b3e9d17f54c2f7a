import { escapeJson } from "../base/terminal.ts";

/** A hundred megabytes are tested in the time in which their lines are parted. */
const plain = /^[\n\x20-\x7e]*$/;

/** `value` as indented JSON that obeys no terminal, ending in a newline. JSON has raw newlines only between values. */
export function prettyJson(value: unknown): string {
	const text = JSON.stringify(value, null, 2);
	if (plain.test(text)) return `${text}\n`;
	const lines = text.split("\n");
	return `${lines.map(escapeJson).join("\n")}\n`;
}
