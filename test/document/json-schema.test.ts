import { expect, test } from "bun:test";
import { mapping, optional, text, whole, words } from "../../src/document/json-schema.ts";
import { takes } from "../support/json-schema.ts";

test("words in any case, signs as they are", () => {
	const schema = words(["AUDIO/VIDEO", "a.b"]);
	for (const word of ["AUDIO/VIDEO", "audio/Video", "A.B"]) expect(takes(word, schema)).toBe(true);
	for (const word of ["AUDIO", "aXb", "a.b ", 1]) expect(takes(word, schema)).toBe(false);
});

test("a mapping has its fields alone; one that may be absent may have no value", () => {
	const schema = mapping(["a", "b"], { a: text, b: words(["x"]) }, ["a"]);
	for (const value of [{ a: "1" }, { a: "", b: "X" }, { a: "", b: null }])
		expect(takes(value, schema)).toBe(true);
	for (const value of [{}, { a: null }, { a: "1", c: 1 }, [], null]) expect(takes(value, schema)).toBe(false);
	expect(optional(whole(1, 2))).toEqual({ type: ["integer", "null"], minimum: 1, maximum: 2 });
});
