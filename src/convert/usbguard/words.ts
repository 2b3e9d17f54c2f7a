/** The language of USBGuard's rules (usbguard-rules.conf(5)): a target, and attributes with sets of values. */

export interface Attribute {
	readonly name: string;
	/** `equals` where none is written. */
	readonly operator: string;
	readonly values: readonly string[];
}

export interface UsbRule {
	readonly accepts: boolean;
	/** Reject removes the device, too. */
	readonly rejects: boolean;
	readonly attributes: readonly Attribute[];
	/** The text behind `if`, or null. */
	readonly condition: string | null;
}

const operators: ReadonlySet<string> = new Set([
	"all-of",
	"one-of",
	"none-of",
	"equals",
	"equals-ordered",
	"match-all",
]);

/** A quoted text, a brace, or a word. */
const token = /\s*(?:"((?:[^"\\]|\\.)*)"|([{}])|([^\s{}"]+))/uy;

/** The rule of a line, or null where it is none. */
export function parseUsbRule(line: string): UsbRule | null {
	const [head, condition] = splitCondition(line);
	const tokens: { readonly text: string; readonly quoted: boolean }[] = [];
	token.lastIndex = 0;
	const text = head.trimEnd();
	while (token.lastIndex < text.length) {
		const match = token.exec(text);
		if (match === null) return null;
		const [, quoted, brace, word] = match;
		tokens.push({
			text: quoted === undefined ? (brace ?? word ?? "") : unescaped(quoted),
			quoted: quoted !== undefined,
		});
	}
	const target = tokens.shift()?.text;
	if (target !== "allow" && target !== "block" && target !== "reject") return null;
	const attributes: Attribute[] = [];
	// The id may stand without its name.
	if (/^[0-9a-fA-F*]+:[0-9a-fA-F*]+$/u.test(tokens[0]?.text ?? "") && tokens[0]?.quoted === false)
		attributes.push({ name: "id", operator: "equals", values: [tokens.shift()?.text ?? ""] });
	while (tokens.length > 0) {
		const name = tokens.shift();
		const next = tokens[0];
		if (name === undefined || name.quoted || next === undefined) return null;
		const operator = !next.quoted && operators.has(next.text) ? (tokens.shift()?.text ?? "") : "equals";
		const values: string[] = [];
		const first = tokens.shift();
		if (first === undefined) return null;
		if (first.text !== "{" || first.quoted) values.push(first.text);
		else {
			for (let value = tokens.shift(); ; value = tokens.shift()) {
				if (value === undefined) return null;
				if (value.text === "}" && !value.quoted) break;
				values.push(value.text);
			}
		}
		attributes.push({ name: name.text, operator, values });
	}
	return { accepts: target === "allow", rejects: target === "reject", attributes, condition };
}

/** What stands before the word if, outside of quotes, and what behind it. */
function splitCondition(line: string): readonly [string, string | null] {
	const pattern = /"(?:[^"\\]|\\.)*"|\sif(?=[\s{])/gu;
	for (const match of line.matchAll(pattern)) {
		if (!match[0].startsWith('"')) return [line.slice(0, match.index), line.slice(match.index + 3).trim()];
	}
	return [line, null];
}

function unescaped(text: string): string {
	return text.replace(
		/\\(?:x([0-9a-fA-F]{2})|(.))/gu,
		(_whole, hex: string | undefined, character: string) =>
			hex === undefined ? character : String.fromCharCode(Number.parseInt(hex, 16)),
	);
}
