/** Where in a JSON text something stands: the parser that knows the values tells no places. Pure. */

/** Deeper than this nobody looks. */
const maxDepth = 64;

/** Sticky: each matches at its `lastIndex` alone. */
const space = /[ \t\r\n]*/y;
const string = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\u0000-\u001f]*)*"/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

export type JsonPath = readonly (string | number)[];

/** Line and column, both from 1. Columns count UTF-16 units. */
export interface TextPlace {
	readonly line: number;
	readonly column: number;
}

/** Where the value at `path` begins, or as much of the way to it as there is; where the text is no JSON, where that begins. */
export function placeInJson(text: string, path: JsonPath): TextPlace {
	const offset = new Finder(text).find(path);
	const before = text.slice(0, offset);
	const lineStart = before.lastIndexOf("\n") + 1;
	let line = 1;
	for (let at = before.indexOf("\n"); at !== -1; at = before.indexOf("\n", at + 1)) line += 1;
	return { line, column: offset - lineStart + 1 };
}

class Finder {
	#at = 0;
	/** Where the deepest part of the path that was found begins. */
	#found = 0;

	constructor(private readonly text: string) {}

	find(path: JsonPath): number {
		if (!this.#value(path, 0)) return this.#at;
		this.#skip();
		return path.length === 0 && this.#at < this.text.length ? this.#at : this.#found;
	}

	/** Passes a value. False where it is none: `#at` stays there. @param way what is left of the path; null off it */
	#value(way: JsonPath | null, depth: number): boolean {
		this.#skip();
		if (way !== null) this.#found = this.#at;
		const first = this.text[this.#at];
		if (first === "{" || first === "[") return depth < maxDepth && this.#collection(first, way, depth + 1);
		return this.#match(first === '"' ? string : scalar) !== null;
	}

	#collection(open: "{" | "[", way: JsonPath | null, depth: number): boolean {
		const close = open === "{" ? "}" : "]";
		this.#at += 1;
		if (this.#next(close)) return true;
		for (let index = 0; ; index++) {
			const key = open === "{" ? this.#key() : index;
			if (key === null) return false;
			const [wanted, ...rest] = way ?? [];
			if (!this.#value(wanted !== undefined && key === wanted ? rest : null, depth)) return false;
			if (this.#next(close)) return true;
			if (!this.#next(",")) return false;
		}
	}

	#key(): string | null {
		this.#skip();
		const written = this.#match(string);
		return written === null || !this.#next(":") ? null : String(JSON.parse(written));
	}

	#match(pattern: RegExp): string | null {
		pattern.lastIndex = this.#at;
		const found = pattern.exec(this.text);
		if (found === null) return null;
		this.#at = pattern.lastIndex;
		return found[0];
	}

	#skip(): void {
		space.lastIndex = this.#at;
		space.exec(this.text);
		this.#at = space.lastIndex;
	}

	#next(character: string): boolean {
		this.#skip();
		if (this.text[this.#at] !== character) return false;
		this.#at += 1;
		return true;
	}
}
