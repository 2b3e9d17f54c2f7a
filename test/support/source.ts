/**
 * Reads TypeScript as tokens, for rules about what a file names. Bun's own
 * scanner forgets `import type`, and the compiler's API is gone since
 * TypeScript 7; a search in the text would trip over comments and strings.
 */

export interface Token {
	/** `word`: identifier, keyword or number. `string`: quoted text or a template without holes. `other`: one punctuator. */
	readonly kind: "word" | "string" | "other";
	/** A string's content without its quotes; escapes are left as they stand. */
	readonly text: string;
}

/** After one of these a slash starts a regular expression, not a division. */
const beforeRegex =
	/^(?:return|typeof|case|in|of|new|delete|void|throw|do|else|await|yield|=>|[([{,;:=!&|?+\-*%<>~^])$/u;

const word = /[\p{ID_Start}$_#0-9][\p{ID_Continue}$\u200c\u200d]*/uy;
const quoted = /"((?:[^"\\\n]|\\[\s\S])*)"|'((?:[^'\\\n]|\\[\s\S])*)'/y;
const skipped = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const regex = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const plainTemplate = /((?:[^`\\$]|\\[\s\S]|\$(?!\{))*)/y;

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
	pattern.lastIndex = at;
	return pattern.exec(source);
}

/** The tokens of `source`; comments and regular expressions are left out. Throws on text that is no program. */
export function tokenize(source: string): Token[] {
	const tokens: Token[] = [];
	/** For each open `${`, how many braces are open inside it. */
	const holes: number[] = [];
	let at = 0;

	/** Reads template text from `at` to its end or next hole. */
	const template = (opening: boolean) => {
		const text = matchAt(plainTemplate, source, at)?.[0] ?? "";
		at += text.length;
		const end = source.slice(at, at + 2);
		if (end.startsWith("`")) {
			at += 1;
			tokens.push({ kind: opening ? "string" : "other", text: opening ? text : "`" });
		} else if (end === "${") {
			at += 2;
			holes.push(0);
			tokens.push({ kind: "other", text: "`" });
		} else {
			throw new Error(`unterminated template at offset ${at}`);
		}
	};

	while (at < source.length) {
		const space = matchAt(skipped, source, at);
		if (space !== null) {
			at += space[0].length;
			continue;
		}
		const name = matchAt(word, source, at);
		if (name !== null) {
			at += name[0].length;
			tokens.push({ kind: "word", text: name[0] });
			continue;
		}
		const string = matchAt(quoted, source, at);
		if (string !== null) {
			at += string[0].length;
			tokens.push({ kind: "string", text: string[1] ?? string[2] ?? "" });
			continue;
		}
		const character = source.charAt(at);
		if (character === '"' || character === "'") throw new Error(`unterminated string at offset ${at}`);
		if (character === "`") {
			at += 1;
			template(true);
			continue;
		}
		const previous = tokens.at(-1)?.text ?? ";";
		const expression = character === "/" && tokens.at(-1)?.kind !== "string" && beforeRegex.test(previous);
		const pattern = expression ? matchAt(regex, source, at) : null;
		if (pattern !== null) {
			at += pattern[0].length;
			tokens.push({ kind: "other", text: "regex" });
			continue;
		}
		const depth = holes.at(-1);
		if (character === "}" && depth === 0) {
			holes.pop();
			at += 1;
			template(false);
			continue;
		}
		if (depth !== undefined && (character === "{" || character === "}")) {
			holes[holes.length - 1] = depth + (character === "{" ? 1 : -1);
		}
		const arrow = source.startsWith("=>", at) ? "=>" : source.startsWith("?.", at) ? "?." : character;
		at += arrow.length;
		tokens.push({ kind: "other", text: arrow });
	}
	return tokens;
}

/**
 * Everything that a file imports or re-exports, types included, by the text
 * that stands there. An `import()` or `require()` of anything but a literal is "?".
 */
export function importsOf(tokens: readonly Token[]): string[] {
	const found: string[] = [];
	const text = (index: number) => tokens[index]?.text;
	for (const [index, token] of tokens.entries()) {
		if (token.kind !== "word" || isProperty(tokens, index)) continue;
		const next = tokens[index + 1];
		if ((token.text === "import" || token.text === "require") && next?.text === "(") {
			const argument = tokens[index + 2];
			found.push(argument?.kind === "string" && text(index + 3) === ")" ? argument.text : "?");
		} else if (token.text === "import" && next?.kind === "string") {
			found.push(next.text);
		} else if (token.text === "from" && next?.kind === "string" && insideImport(tokens, index)) {
			found.push(next.text);
		}
	}
	return found;
}

/** The npm package that `specifier` names or names a file of; a built-in module or a path as it stands. */
export function packageOf(specifier: string): string {
	return /^(?!\.)(?:@[^/]+\/)?[\w.-]+(?=\/|$)/u.exec(specifier)?.[0] ?? specifier;
}

/** Whether the `from` at `index` belongs to an import or export statement. */
function insideImport(tokens: readonly Token[], index: number): boolean {
	for (let at = index - 1; at >= 0; at--) {
		const token = tokens[at];
		if (token === undefined || token.kind === "string" || token.text === ";") return false;
		if (token.text === "import" || token.text === "export") return true;
	}
	return false;
}

/** Whether the word at `index` is a property's or key's name, so names nothing outside its object. */
export function isProperty(tokens: readonly Token[], index: number): boolean {
	const before = tokens[index - 1]?.text;
	const after = tokens[index + 1]?.text;
	const key = after === ":" && (before === "{" || before === "," || before === ";" || before === "readonly");
	return ((before === "." || before === "?.") && tokens[index - 2]?.text !== ".") || key;
}

/** The free words of a file: identifiers and keywords that are no property names. */
export function freeWords(tokens: readonly Token[]): Set<string> {
	return new Set(
		tokens
			.filter((token, index) => token.kind === "word" && !isProperty(tokens, index))
			.map((token) => token.text),
	);
}

/** Whether `words` stand in the file one after the other, such as ["new", "Worker"]. */
export function hasSequence(tokens: readonly Token[], words: readonly string[]): boolean {
	return tokens.some((_, index) =>
		words.every((expected, offset) => {
			const token = tokens[index + offset];
			return token?.text === expected && token.kind !== "string";
		}),
	);
}
