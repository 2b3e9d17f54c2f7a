/**
 * Text that somebody else chose, made safe to print: a policy's name or message
 * must not move the cursor, forge a line or reorder what an operator reads.
 */

/**
 * C0 and C1 controls and DEL (ESC and CSI among them), line and paragraph
 * separators, the bidirectional controls of UAX #9, invisible format characters
 * (zero width, fillers, tags, soft hyphen, interlinear), and lone surrogates.
 */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/** Of such text nothing is unsafe, which is far quicker to find out. Each flow in words has the arrow. */
const plain = /^[\x20-\x7e→]*$/;

const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * `text` on one line with every control, format and bidi character written out,
 * such as `\x1b` or `\u{202e}`. Printable text, of any script, is unchanged.
 */
export function escapeForTerminal(text: string): string {
	if (plain.test(text)) return text;
	return text.replace(unsafe, (character) => {
		const known = short[character];
		if (known !== undefined) return known;
		const code = character.codePointAt(0) ?? 0;
		const hex = code.toString(16);
		return code <= 0xff ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
	});
}

/**
 * `json` with the characters that JSON allows raw but a terminal obeys (DEL, C1,
 * format and bidi characters) as \u escapes. They can stand only inside strings,
 * so the value stays the same.
 */
export function escapeJson(json: string): string {
	if (plain.test(json)) return json;
	return json.replace(unsafe, (character) =>
		Array.from(
			{ length: character.length },
			(_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, "0")}`,
		).join(""),
	);
}
