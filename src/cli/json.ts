import { escapeJson } from "../base/terminal.ts";

/** `value` as indented JSON that obeys no terminal, ending in a newline. JSON has raw newlines only between values. */
export function prettyJson(value: unknown): string {
	const lines = JSON.stringify(value, null, 2).split("\n");
	return `${lines.map(escapeJson).join("\n")}\n`;
}
