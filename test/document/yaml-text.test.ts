import { expect, test } from "bun:test";
import { yamlText } from "../../src/document/yaml-text.ts";

test("block style, long lines as they are, quotes where they are needed", () => {
	const long = "word ".repeat(40).trim();
	expect(yamlText({ a: [{ b: "*", c: 1 }], long })).toBe(`a:\n- b: "*"\n  c: 1\nlong: ${long}\n`);
});
