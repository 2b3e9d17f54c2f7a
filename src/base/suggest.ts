/** "Did you mean": the nearest of a few known words. */

/** Longer words are not compared: the distance costs the product of the lengths. */
const longestWord = 64;

/** The candidate nearest to `word` (any case) within a third of its length, or null. */
export function nearest(word: string, candidates: readonly string[]): string | null {
	if (word.length > longestWord) return null;
	const wanted = word.toLowerCase();
	let best: string | null = null;
	let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
	for (const candidate of candidates) {
		const distance = editDistance(wanted, candidate.toLowerCase());
		if (distance < bestDistance) {
			best = candidate;
			bestDistance = distance;
		}
	}
	return best;
}

/** Edits (insertions, deletions, substitutions, swaps of neighbours) between two short words. */
function editDistance(a: string, b: string): number {
	let beforePrevious: number[] = [];
	let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
	for (let row = 1; row <= a.length; row++) {
		const current = [row];
		for (let column = 1; column <= b.length; column++) {
			const same = a[row - 1] === b[column - 1];
			let cost = Math.min(
				(previous[column] ?? 0) + 1,
				(current[column - 1] ?? 0) + 1,
				(previous[column - 1] ?? 0) + (same ? 0 : 1),
			);
			const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
			if (row > 1 && column > 1 && swapped) cost = Math.min(cost, (beforePrevious[column - 2] ?? 0) + 1);
			current.push(cost);
		}
		beforePrevious = previous;
		previous = current;
	}
	return previous[b.length] ?? 0;
}

/** A hint of the form "did you mean X?", else the list of what is known. */
export function suggest(word: string, candidates: readonly string[], noun: string): string {
	const match = nearest(word, candidates);
	if (match !== null) return `did you mean ${match}?`;
	return `known ${noun}: ${candidates.join(", ")}`;
}

/** Control characters, line separators and marks that reorder text on a terminal. */
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

function escapeCharacter(character: string): string {
	return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** UTF-16 units of a text that is quoted whole. */
export const longestQuote = 80;

/** Text from a file, quoted and bounded for a message; control characters are escaped. */
export function quote(text: string): string {
	const shown = text.length > longestQuote ? `${text.slice(0, 77)}...` : text;
	return JSON.stringify(shown).replace(unprintable, escapeCharacter);
}

/** A message that may contain text from a file, on one bounded line without control characters. */
export function printable(text: string): string {
	return visible(text.length > 300 ? `${text.slice(0, 297)}...` : text);
}

/** The same text on one line: control characters and what else a terminal obeys are escaped. Of any length. */
export function visible(text: string): string {
	return text.toWellFormed().replace(unprintable, escapeCharacter);
}
