/** HTML from templates in which every value is escaped unless it is markup already. Pure. */

const entities: Readonly<Record<string, string>> = {
	"&": "&amp;",
	"<": "&lt;",
	">": "&gt;",
	'"': "&quot;",
	"'": "&#39;",
};

/** Text as it may stand between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
	return text.toWellFormed().replace(/[&<>"']/g, (character) => entities[character] ?? "");
}

/** Markup that has been escaped. Only {@link html} and {@link trusted} make it. */
export class Html {
	readonly text: string;
	constructor(text: string) {
		this.text = text;
	}
}

/** Markup of our own, not to be escaped. Never pass it anything from outside. */
export function trusted(markup: string): Html {
	return new Html(markup);
}

type Value = string | number | Html | readonly Html[];

function render(value: Value): string {
	if (value instanceof Html) return value.text;
	if (typeof value === "object") return value.map((part) => part.text).join("");
	return escapeHtml(String(value));
}

/** A template tag: literal parts are markup, values are escaped. */
export function html(literals: TemplateStringsArray, ...values: readonly Value[]): Html {
	return new Html(
		literals.reduce((text, literal, index) => text + render(values[index - 1] ?? "") + literal),
	);
}
