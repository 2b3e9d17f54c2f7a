/** The documents that name tests as proof: each test that they name exists, under that name, and runs. */

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");

interface Citation {
	readonly file: string;
	readonly title: string;
}

/** The cells of every row of the tables whose last column is "Shown by". */
function rowsOf(document: string): string[][] {
	const rows: string[][] = [];
	let proven = false;
	for (const line of document.split("\n")) {
		const cells = line.startsWith("|")
			? line
					.slice(1, -1)
					.split("|")
					.map((cell) => cell.trim())
			: [];
		const last = cells.at(-1);
		if (last === undefined) proven = false;
		else if (last === "Shown by") proven = true;
		else if (proven && !/^-+$/.test(last)) rows.push(cells);
	}
	return rows;
}

/** What a cell cites: a file in backquotes, a colon, and titles in quotes up to the next file. */
function citations(cell: string): Citation[] {
	return [...cell.matchAll(/`(test\/[^`]+\.test\.ts)`:((?:[^`"]|"[^"]*")*)/g)].flatMap(
		([, file = "", titles = ""]) =>
			[...titles.matchAll(/"([^"]*)"/g)].map(([, title = ""]) => ({ file, title })),
	);
}

/** Whether a file has a test of this title that runs. */
function runs({ file, title }: Citation): boolean {
	const path = join(root, file);
	if (!existsSync(path)) return false;
	const text = readFileSync(path, "utf8");
	// After test( on one line, after test.each(…)(, or on a line of its own, as the formatter breaks it.
	const at = [`(${JSON.stringify(title)},`, `\t${JSON.stringify(title)},`].map((form) => text.indexOf(form));
	return at.some((one) => one >= 0) && !/\btest\.(?:skip|todo|if|skipIf|todoIf)\b/.test(text);
}

describe.each(["docs/faults.md", "docs/threat-model.md"])("%s", (document) => {
	const rows = rowsOf(readFileSync(join(root, document), "utf8"));

	test("has a test for every row", () => {
		expect(rows.length).toBeGreaterThan(10);
		expect(rows.filter((cells) => citations(cells.at(-1) ?? "").length === 0)).toEqual([]);
	});

	test("cites only tests that there are", () => {
		const cited = rows.flatMap((cells) => citations(cells.at(-1) ?? ""));
		expect(cited.filter((citation) => !runs(citation))).toEqual([]);
	});
});

test("a test that is gone, renamed or skipped is found", () => {
	const file = "test/docs/cited-tests.test.ts";
	const title = "a test that is gone, renamed or skipped is found";
	expect(runs({ file, title })).toBe(true);
	expect(runs({ file, title: `${title}, not` })).toBe(false);
	expect(runs({ file: "test/docs/nowhere.test.ts", title })).toBe(false);
	expect(citations('`test/a.test.ts`: "one"; "two"; `test/b.test.ts`: "three"')).toEqual([
		{ file: "test/a.test.ts", title: "one" },
		{ file: "test/a.test.ts", title: "two" },
		{ file: "test/b.test.ts", title: "three" },
	]);
});
