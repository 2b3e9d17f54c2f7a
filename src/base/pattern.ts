/**
 * Host name patterns in linear time. A policy's regular expression runs in a
 * root process, so it is simulated as a nondeterministic automaton (Thompson's
 * construction): cost is states × characters, whatever the expression.
 */

export const patternLimits = {
	/** Characters of an expression. */
	length: 256,
	/** Automaton states, counted repetitions expanded. */
	states: 2000,
	/** Nested groups. */
	depth: 32,
} as const;

/** A compiled expression, anchored at both ends, or what it uses that is not supported. */
export type PatternResult =
	| { readonly ok: true; matches(text: string): boolean }
	| { readonly ok: false; readonly message: string };

type Test = (code: number) => boolean;

/** `split` has two ways on, `char` consumes, `end` accepts. Targets are state numbers, -1 while open. */
type State =
	| { readonly kind: "char"; readonly test: Test; next: number }
	| { readonly kind: "split"; next: number; other: number }
	| { readonly kind: "end" };

type Syntax =
	| { readonly kind: "char"; readonly test: Test }
	| { readonly kind: "all"; readonly parts: readonly Syntax[] }
	| { readonly kind: "either"; readonly parts: readonly Syntax[] }
	| { readonly kind: "repeat"; readonly part: Syntax; readonly least: number; readonly most: number };

class Unsupported extends Error {}

const isDigit: Test = (c) => c >= 48 && c <= 57;
const isWord: Test = (c) => isDigit(c) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95;

/**
 * Compiles the subset that host names need: literals, `.`, `[a-z]`, `[^…]`,
 * `\d`, `\w`, escaped punctuation, groups `( )` and `(?: )`, `|`, and the
 * quantifiers `* + ? {n} {n,} {n,m}`. The whole text must match; a leading `^`
 * and a final `$` are allowed. Case-sensitive.
 */
export function compilePattern(source: string): PatternResult {
	if (source.length > patternLimits.length) {
		return { ok: false, message: `the expression is longer than ${patternLimits.length} characters` };
	}
	try {
		const states = build(new PatternParser(source).parse());
		return { ok: true, matches: (text) => run(states, text) };
	} catch (error) {
		if (!(error instanceof Unsupported)) throw error;
		return { ok: false, message: error.message };
	}
}

class PatternParser {
	private at: number;
	private readonly end: number;

	constructor(private readonly source: string) {
		this.at = source.startsWith("^") ? 1 : 0;
		const escapedEnd = /(?:^|[^\\])(?:\\\\)*\\\$$/.test(source);
		this.end = source.endsWith("$") && !escapedEnd ? source.length - 1 : source.length;
	}

	parse(): Syntax {
		const syntax = this.either(0);
		if (this.at < this.end) throw new Unsupported("a ) closes no group");
		return syntax;
	}

	private peek(): string {
		return this.at < this.end ? (this.source[this.at] ?? "") : "";
	}

	private either(depth: number): Syntax {
		if (depth > patternLimits.depth) throw new Unsupported("groups nest too deeply");
		const parts = [this.all(depth)];
		while (this.peek() === "|") {
			this.at++;
			parts.push(this.all(depth));
		}
		return { kind: "either", parts };
	}

	private all(depth: number): Syntax {
		const parts: Syntax[] = [];
		for (let next = this.peek(); next !== "" && next !== "|" && next !== ")"; next = this.peek()) {
			parts.push(this.quantified(this.atom(depth)));
		}
		return { kind: "all", parts };
	}

	private atom(depth: number): Syntax {
		const character = this.peek();
		this.at++;
		switch (character) {
			case "(": {
				if (this.source.startsWith("?:", this.at)) this.at += 2;
				else if (this.peek() === "?")
					throw new Unsupported("groups other than ( ) and (?: ) are not supported");
				const inner = this.either(depth + 1);
				if (this.peek() !== ")") throw new Unsupported("a group is not closed");
				this.at++;
				return inner;
			}
			case "[":
				return { kind: "char", test: this.set() };
			case ".":
				return { kind: "char", test: () => true };
			case "\\":
				return { kind: "char", test: this.escape() };
			case "*":
			case "+":
			case "?":
			case "{":
				throw new Unsupported(`${character} has nothing to repeat`);
			case "^":
			case "$":
				throw new Unsupported(`${character} is supported only at the ${character === "^" ? "start" : "end"}`);
			default: {
				const code = character.charCodeAt(0);
				return { kind: "char", test: (c) => c === code };
			}
		}
	}

	private escape(): Test {
		const character = this.peek();
		this.at++;
		if (character === "d") return isDigit;
		if (character === "w") return isWord;
		if (character === "" || isWord(character.charCodeAt(0))) {
			throw new Unsupported(`the escape \\${character} is not supported`);
		}
		const code = character.charCodeAt(0);
		return (c) => c === code;
	}

	private set(): Test {
		const negated = this.peek() === "^";
		if (negated) this.at++;
		if (this.peek() === "]") throw new Unsupported("an empty [ ] is not supported; write \\] for a bracket");
		const tests: Test[] = [];
		for (let next = this.peek(); next !== "]"; next = this.peek()) {
			if (next === "") throw new Unsupported("a [ is not closed");
			this.at++;
			if (next === "[") throw new Unsupported("a [ inside [ ] is not supported; write \\[");
			if (next === "\\") {
				tests.push(this.escape());
				continue;
			}
			const low = next.charCodeAt(0);
			let high = low;
			if (this.peek() === "-" && this.source[this.at + 1] !== "]") {
				high = this.source.charCodeAt(this.at + 1);
				this.at += 2;
				if (!(high >= low) || this.at > this.end)
					throw new Unsupported("a range in [ ] ends before it begins");
			}
			tests.push((c) => c >= low && c <= high);
		}
		this.at++;
		return (c) => tests.some((test) => test(c)) !== negated;
	}

	private quantified(part: Syntax): Syntax {
		let syntax = part;
		for (let repeated = 0; ; repeated++) {
			const bounds = this.quantifier();
			if (bounds === null) return syntax;
			if (repeated > 0) throw new Unsupported("a quantifier after a quantifier is not supported");
			syntax = { kind: "repeat", part: syntax, ...bounds };
		}
	}

	private quantifier(): { least: number; most: number } | null {
		const character = this.peek();
		const simple = { "*": [0, Infinity], "+": [1, Infinity], "?": [0, 1] } as const;
		if (character === "*" || character === "+" || character === "?") {
			this.at++;
			const [least, most] = simple[character];
			return { least, most };
		}
		if (character !== "{") return null;
		const counted = /^\{(\d{1,3})(?:(,)(\d{1,3})?)?\}/.exec(this.source.slice(this.at, this.end));
		if (counted === null) throw new Unsupported("write a count as {n}, {n,} or {n,m}");
		this.at += counted[0].length;
		const least = Number(counted[1]);
		const most = counted[3] !== undefined ? Number(counted[3]) : counted[2] !== undefined ? Infinity : least;
		if (most < least) throw new Unsupported("a count {n,m} ends before it begins");
		return { least, most };
	}
}

/** States in reverse: each part is built knowing the state that follows it. The start comes last. */
function build(syntax: Syntax): readonly State[] {
	const states: State[] = [{ kind: "end" }];
	const add = (state: State): number => {
		if (states.length >= patternLimits.states) throw new Unsupported("the expression repeats too much");
		return states.push(state) - 1;
	};
	// Repeated empty groups add no states, so the steps are bounded as well.
	let steps = 10 * patternLimits.states;
	const link = (part: Syntax, next: number): number => {
		steps--;
		if (steps < 0) throw new Unsupported("the expression repeats too much");
		switch (part.kind) {
			case "char":
				return add({ kind: "char", test: part.test, next });
			case "all":
				return part.parts.reduceRight((following, inner) => link(inner, following), next);
			case "either":
				return part.parts
					.map((inner) => link(inner, next))
					.reduceRight((other, first) => add({ kind: "split", next: first, other }));
			case "repeat": {
				let start = next;
				if (part.most === Infinity) {
					const loop: State = { kind: "split", next: -1, other: next };
					start = add(loop);
					loop.next = link(part.part, start);
				} else {
					for (let i = part.least; i < part.most; i++) {
						start = add({ kind: "split", next: link(part.part, start), other: next });
					}
				}
				for (let i = 0; i < part.least; i++) start = link(part.part, start);
				return start;
			}
		}
	};
	const start = link(syntax, 0);
	add({ kind: "split", next: start, other: start });
	return states;
}

function run(states: readonly State[], text: string): boolean {
	let current = new Set<number>();
	enter(states, states.length - 1, current);
	for (let i = 0; i < text.length && current.size > 0; i++) {
		const following = new Set<number>();
		const code = text.charCodeAt(i);
		for (const number of current) {
			const state = states[number];
			if (state?.kind === "char" && state.test(code)) enter(states, state.next, following);
		}
		current = following;
	}
	return current.has(0);
}

/** Adds a state and all that is reachable from it without consuming. */
function enter(states: readonly State[], start: number, into: Set<number>): void {
	const open = [start];
	for (let number = open.pop(); number !== undefined; number = open.pop()) {
		if (into.has(number)) continue;
		into.add(number);
		const state = states[number];
		if (state?.kind === "split") open.push(state.next, state.other);
	}
}
