/** Files that `recommend` wrote, told from those that somebody changed since. */

import { digest } from "../../../../base/digest.ts";

const first = /^# Made by portward recommend, sum ([0-9a-f]{16})\. .*$/u;

/** The text with the line in front that says who made it. */
export function signedText(body: string): string {
	return `# Made by portward recommend, sum ${digest(body)}. Once changed by hand it is left alone.\n${body}`;
}

/** Whether the text is what `signedText` made of some body. */
export function isUnchanged(text: string): boolean {
	const end = text.indexOf("\n");
	const [, sum] = first.exec(text.slice(0, end)) ?? [];
	return sum !== undefined && sum === digest(text.slice(end + 1));
}
