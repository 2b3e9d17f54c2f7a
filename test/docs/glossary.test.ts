/** The words of ARCHITECTURE.md: each is in the sources, begins where it says, and is told in one sentence. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

const [, section = ""] = read("ARCHITECTURE.md").split("\n## Words\n");
const words = section
	.split("\n## ")[0]
	?.split("\n")
	.filter((line) => /^\| [a-z]/.test(line))
	.slice(1)
	.map((line) => {
		const [word = "", sense = "", place = ""] = line
			.slice(1, -1)
			.split("|")
			.map((cell) => cell.trim());
		return { word, sense, file: place.replaceAll("`", "") };
	});

/** As a word of its own, or at the beginning of a part of a name. */
const uses = (text: string, word: string) =>
	new RegExp(
		`(?<![A-Za-z])${word}(?![a-z])|${word[0]?.toUpperCase()}${word.slice(1)}(?![a-z])|${word}s\\b`,
	).test(text);

test("each word is in the sources, and in the file where a reader is to begin", () => {
	expect(words?.length).toBeGreaterThan(20);
	for (const { word, file } of words ?? []) {
		expect([word, file, existsSync(join(root, file))]).toEqual([word, file, true]);
		expect([word, file, uses(read(file), word)]).toEqual([word, file, true]);
	}
});

test("each sense is one sentence, and the words are in alphabetical order", () => {
	const names = (words ?? []).map(({ word }) => word);
	expect(names).toEqual(names.toSorted());
	for (const { word, sense } of words ?? [])
		expect([word, sense]).toEqual([word, expect.stringMatching(/^[A-Z][^.]*\.$/)]);
});
