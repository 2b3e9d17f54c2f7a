/** As much of XML as firewalld's files have: elements and attributes. No document type, so no entity of one's own. */

export interface Element {
	readonly name: string;
	readonly attributes: ReadonlyMap<string, string>;
	readonly children: readonly Element[];
	readonly offset: number;
}

export type Xml =
	| { readonly ok: true; readonly root: Element }
	| { readonly ok: false; readonly offset: number; readonly message: string };

/** Bounds that keep one file from exhausting anything; a zone nests four deep. */
const limits = { depth: 32, elements: 50_000 } as const;

const aside = /\s*(?:<!--[\s\S]*?-->|<\?[\s\S]*?\?>)/uy;
const characters = /[^<]+/uy;
const opening = /<([A-Za-z_][\w.-]*)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/uy;
const closing = /<\/([A-Za-z_][\w.-]*)\s*>/uy;

/** Never throws, whatever the text. */
export function parseXml(text: string): Xml {
	const stack: (Element & { readonly children: Element[] })[] = [];
	let root: Element | null = null;
	let count = 0;
	let at = 0;
	const take = (pattern: RegExp): RegExpExecArray | null => {
		pattern.lastIndex = at;
		const match = pattern.exec(text);
		if (match !== null) at = pattern.lastIndex;
		return match;
	};
	const fail = (message: string): Xml => ({ ok: false, offset: at, message });
	while (at < text.length) {
		if (take(aside) !== null) continue;
		const words = take(characters);
		if (words !== null) {
			if (stack.length === 0 && words[0].trim() !== "") return fail("there is text outside of the element");
			continue;
		}
		const offset = at;
		const open = take(opening);
		if (open !== null) {
			const [, name = "", attributes = "", alone] = open;
			count += 1;
			if (count > limits.elements || stack.length >= limits.depth) return fail("there are too many elements");
			if (stack.length === 0 && root !== null) return fail("there is a second element");
			const element = { name, attributes: attributesOf(attributes), children: [], offset };
			stack.at(-1)?.children.push(element);
			root ??= element;
			if (alone === "") stack.push(element);
			continue;
		}
		const close = take(closing);
		if (close === null || stack.pop()?.name !== close[1])
			return fail("this is not XML that firewalld writes");
	}
	if (root === null || stack.length > 0) return fail("the element does not end");
	return { ok: true, root };
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function attributesOf(text: string): ReadonlyMap<string, string> {
	const found = new Map<string, string>();
	for (const [, name = "", , double, single] of text.matchAll(/([\w:.-]+)\s*=\s*("([^"]*)"|'([^']*)')/gu)) {
		const value = double ?? single ?? "";
		found.set(
			name,
			value.replace(/&(lt|gt|amp|quot|apos);/gu, (_whole, entity: string) => entities[entity] ?? ""),
		);
	}
	return found;
}
