/** Calico's selectors: expressions over labels. */

export type Labels = Readonly<Record<string, string>>;

type Test = (labels: Labels) => boolean;

export interface Selector {
	readonly matches: Test;
	/** The labels that it asks for, where that is all that it does; null for every other selector. */
	readonly labels: Labels | null;
}

/** Parentheses and negations that are followed. */
const deepest = 32;

const token = /\s*(?:(&&|\|\||==|!=|!|[(){},])|"([^"]*)"|'([^']*)'|([A-Za-z0-9_./-]+))/uy;

interface Token {
	readonly text: string;
	readonly quoted: boolean;
}

/** Null where it is not one, or one that is not read: starts with, contains and the like. */
export function parseSelector(text: string): Selector | null {
	const tokens: Token[] = [];
	token.lastIndex = 0;
	const trimmed = text.trim();
	while (token.lastIndex < trimmed.length) {
		const match = token.exec(trimmed);
		if (match === null) return null;
		const quoted = match[2] ?? match[3];
		tokens.push({ text: quoted ?? match[1] ?? match[4] ?? "", quoted: quoted !== undefined });
	}
	if (tokens.length === 0) return everything;
	const parser = new SelectorParser(tokens);
	const selector = parser.either(0);
	return selector === null || !parser.done ? null : selector;
}

const everything: Selector = { matches: () => true, labels: {} };

class SelectorParser {
	readonly #tokens: readonly Token[];
	#at = 0;

	constructor(tokens: readonly Token[]) {
		this.#tokens = tokens;
	}

	get done(): boolean {
		return this.#at === this.#tokens.length;
	}

	either(depth: number): Selector | null {
		let left = this.#both(depth);
		while (left !== null && this.#take("||")) {
			const right = this.#both(depth);
			if (right === null) return null;
			const { matches } = left;
			left = { matches: (labels) => matches(labels) || right.matches(labels), labels: null };
		}
		return left;
	}

	#both(depth: number): Selector | null {
		let left = this.#one(depth);
		while (left !== null && this.#take("&&")) {
			const right = this.#one(depth);
			if (right === null) return null;
			const { matches, labels: own } = left;
			const labels = own === null || right.labels === null ? null : { ...own, ...right.labels };
			left = { matches: (given) => matches(given) && right.matches(given), labels };
		}
		return left;
	}

	#one(depth: number): Selector | null {
		if (depth > deepest) return null;
		if (this.#take("!")) {
			const inner = this.#one(depth + 1);
			return inner === null ? null : { matches: (labels) => !inner.matches(labels), labels: null };
		}
		if (this.#take("(")) {
			const inner = this.either(depth + 1);
			return inner !== null && this.#take(")") ? inner : null;
		}
		const name = this.#word();
		if (name === null) return null;
		if (this.#take("(")) {
			if (name === "has") {
				const label = this.#word();
				return label !== null && this.#take(")")
					? { matches: (labels) => Object.hasOwn(labels, label), labels: null }
					: null;
			}
			return (name === "all" || name === "global") && this.#take(")") ? everything : null;
		}
		return this.#comparison(name);
	}

	#comparison(name: string): Selector | null {
		for (const operator of ["==", "!="] as const) {
			if (!this.#take(operator)) continue;
			const value = this.#text();
			if (value === null) return null;
			if (operator === "==")
				return { matches: (labels) => labels[name] === value, labels: { [name]: value } };
			return { matches: (labels) => labels[name] !== value, labels: null };
		}
		const negated = this.#take("not");
		if (!this.#take("in") || !this.#take("{")) return null;
		const values: string[] = [];
		do {
			const value = this.#text();
			if (value === null) return null;
			values.push(value);
		} while (this.#take(","));
		if (!this.#take("}")) return null;
		return { matches: (labels) => values.includes(labels[name] ?? "\0") !== negated, labels: null };
	}

	#take(text: string): boolean {
		const next = this.#tokens[this.#at];
		if (next === undefined || next.quoted || next.text !== text) return false;
		this.#at += 1;
		return true;
	}

	#word(): string | null {
		const next = this.#tokens[this.#at];
		if (next === undefined || next.quoted || !/^[A-Za-z0-9_./-]+$/u.test(next.text)) return null;
		this.#at += 1;
		return next.text;
	}

	#text(): string | null {
		const next = this.#tokens[this.#at];
		if (next?.quoted !== true) return null;
		this.#at += 1;
		return next.text;
	}
}
