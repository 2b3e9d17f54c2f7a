/**
 * ARCHITECTURE.md: its files are there. Its words are in the sources, begin where it says, and are told in one sentence.
 */

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

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

/** Files in backquotes, as they are written. */
const filesIn = (text: string) =>
	[...text.matchAll(/`((?:[\w.-]+\/)*[\w.-]+\.ts|src\/enforcers\/\w+)`/g)].map(([, path = ""]) => path);
const isThere = (path: string) => existsSync(join(root, path));

test("each file that is named from the root is there", () => {
	const named = filesIn(read("ARCHITECTURE.md")).filter((path) => /^(?:src|test|scripts)\//.test(path));
	expect(named.length).toBeGreaterThan(50);
	expect(named.filter((path) => !isThere(path))).toEqual([]);
});

test("each file on the two ways through is there", () => {
	const [, ways = ""] = read("ARCHITECTURE.md").split("\n## Two ways through\n");
	/** Where a table's paths begin, and the folder of the file before. */
	let [base, folder] = ["", ""];
	for (const path of filesIn(ways.split("\n## ")[0] ?? "")) {
		if (!path.endsWith(".ts")) base = path;
		else {
			const file = path.startsWith("src/") ? path : join(path.includes("/") ? base : folder, path);
			folder = dirname(file);
			expect([path, isThere(file)]).toEqual([path, true]);
		}
	}
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
