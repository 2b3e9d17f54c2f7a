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

interface Token {
	readonly text: string;
	readonly quoted: boolean;
}

/** The words of a line up to its condition, and the text of that; null where a quote does not end. */
function tokensOf(line: string): { readonly tokens: Token[]; readonly condition: string | null } | null {
	const tokens: Token[] = [];
	const text = line.trim();
	token.lastIndex = 0;
	while (token.lastIndex < text.length) {
		const match = token.exec(text);
		if (match === null) return null;
		const [, quoted, brace, word] = match;
		if (word === "if" && tokens.length > 0) return { tokens, condition: text.slice(token.lastIndex).trim() };
		tokens.push(
			quoted === undefined
				? { text: brace ?? word ?? "", quoted: false }
				: { text: unescaped(quoted), quoted: true },
		);
	}
	return { tokens, condition: null };
}

/** The rule of a line, or null where it is none. */
export function parseUsbRule(line: string): UsbRule | null {
	const read = tokensOf(line);
	if (read === null) return null;
	const { tokens, condition } = read;
	const target = tokens.shift()?.text;
	if (target !== "allow" && target !== "block" && target !== "reject") return null;
	const attributes: Attribute[] = [];
	let at = 0;
	const next = () => tokens[at];
	const take = () => tokens[at++];
	// The id may stand without its name.
	if (next()?.quoted === false && /^[0-9a-fA-F*]+:[0-9a-fA-F*]+$/u.test(next()?.text ?? ""))
		attributes.push({ name: "id", operator: "equals", values: [take()?.text ?? ""] });
	while (at < tokens.length) {
		const name = take();
		if (name === undefined || name.quoted) return null;
		const operator = next()?.quoted === false && operators.has(next()?.text ?? "") ? take() : undefined;
		const values = valuesOf(take);
		if (values === null) return null;
		attributes.push({ name: name.text, operator: operator?.text ?? "equals", values });
	}
	return { accepts: target === "allow", rejects: target === "reject", attributes, condition };
}

/** One value, or those between braces; null where they do not end. */
function valuesOf(take: () => Token | undefined): readonly string[] | null {
	const first = take();
	if (first === undefined) return null;
	if (first.text !== "{" || first.quoted) return [first.text];
	const values: string[] = [];
	for (let value = take(); value !== undefined; value = take()) {
		if (value.text === "}" && !value.quoted) return values;
		values.push(value.text);
	}
	return null;
}

function unescaped(text: string): string {
	return text.replace(
		/\\(?:x([0-9a-fA-F]{2})|(.))/gu,
		(_whole, hex: string | undefined, character: string) =>
			hex === undefined ? character : String.fromCharCode(Number.parseInt(hex, 16)),
	);
}
