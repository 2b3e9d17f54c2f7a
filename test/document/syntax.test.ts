import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Lines, parseSyntax, splitDocuments } from "../../src/document/syntax.ts";

function sources(text: string): string[] {
	return splitDocuments(text).map((chunk) => chunk.source);
}

describe("splitDocuments", () => {
	test.each([
		["", []],
		["a", ["a"]],
		["a\n---\nb", ["a\n", "---\nb"]],
		["--- a\n--- b", ["--- a\n", "--- b"]],
		["# c\n%YAML 1.2\n---\na", ["# c\n%YAML 1.2\n---\na"]],
		["a\n...\nb", ["a\n...\n", "b"]],
		["a\n...\n---\nb", ["a\n...\n", "---\nb"]],
		["...\n...\n", ["...\n", "...\n"]],
		["---\n---\n", ["---\n", "---\n"]],
		["a: ---\n ---\n----\n---x", ["a: ---\n ---\n----\n---x"]],
		["a\r\n---\r\nb", ["a\r\n", "---\r\nb"]],
		['"\u2028---\n"', ['"\u2028---\n"']],
	])("%j", (text, expected) => {
		expect(sources(text)).toEqual(expected);
	});

	test("loses nothing, and counts lines", () => {
		const line = fc.constantFrom(
			"---",
			"--- a",
			"...",
			"# c",
			"%YAML 1.2",
			"a: 1",
			"",
			" ---",
			"----",
			'"x',
			"\u2028---",
		);
		fc.assert(
			fc.property(fc.array(line), fc.constantFrom("\n", "\r\n"), (lines, newline) => {
				const text = lines.join(newline);
				const chunks = splitDocuments(text);
				expect(chunks.map((chunk) => chunk.source).join("")).toBe(text);
				let firstLine = 1;
				for (const chunk of chunks) {
					expect(chunk.firstLine).toBe(firstLine);
					firstLine += chunk.source.split("\n").length - 1;
				}
			}),
		);
	});
});

describe("Lines", () => {
	test("finds line and column of every offset", () => {
		fc.assert(
			fc.property(
				fc.string({ unit: fc.constantFrom("a", "\n", "é") }),
				fc.integer({ min: 1, max: 9 }),
				(source, firstLine) => {
					const lines = new Lines({ source, firstLine });
					for (let offset = 0; offset <= source.length; offset++) {
						const before = source.slice(0, offset).split("\n");
						const expected = {
							line: firstLine + before.length - 1,
							column: (before.at(-1)?.length ?? 0) + 1,
						};
						expect(lines.locate(offset)).toEqual(expected);
					}
				},
			),
		);
	});
});

describe("parseSyntax", () => {
	test.each([
		["a: [1", "yaml-syntax"],
		["a: 1\n b: 2", "yaml-syntax"],
		["!x a", "yaml-syntax"],
		["%YAML 1.2", "yaml-syntax"],
		["a: \u0007", "not-text"],
		["a: \ufffd", "not-text"],
		["[".repeat(80), "too-deep"],
	])("%j is %s", (source, code) => {
		expect(parseSyntax(source).problems.map((problem) => problem.code)).toContain(code);
	});

	test("problems come in the order of the text", () => {
		const { problems } = parseSyntax("a: [}\nb: c: d\n'\n");
		const offsets = problems.map((problem) => problem.offset);
		expect(offsets.length).toBeGreaterThan(1);
		expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
	});

	test("comments alone have no content and no problem", () => {
		expect(parseSyntax("# a\n\n# b\n")).toEqual({ contents: null, problems: [] });
	});
});
