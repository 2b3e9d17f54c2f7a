import { describe, expect, test } from "bun:test";
import { freeWords, hasSequence, importsOf, packageOf, tokenize } from "./source.ts";

const importsIn = (source: string) => importsOf(tokenize(source));

describe("importsOf", () => {
	test.each([
		['import { a } from "./a.ts";', ["./a.ts"]],
		['import type { A } from "./a.ts";', ["./a.ts"]],
		['import a, { type B, c as d } from "./a.ts"', ["./a.ts"]],
		['import * as a from "./a.ts"', ["./a.ts"]],
		['import "./a.ts"', ["./a.ts"]],
		['import a from "./a.txt" with { type: "text" };', ["./a.txt"]],
		['export { a } from "./a.ts";', ["./a.ts"]],
		['export * from "./a.ts";', ["./a.ts"]],
		['export type { A } from "./a.ts";', ["./a.ts"]],
		['type A = import("./a.ts").A;', ["./a.ts"]],
		['const a = await import("./a.ts");', ["./a.ts"]],
		["const a = await import(`./a.ts`);", ["./a.ts"]],
		["const a = await import(path);", ["?"]],
		['const a = await import("./" + path);', ["?"]],
		["const a = await import(`./$" + "{path}`);", ["?"]],
		['const a = require("fs");', ["fs"]],
		["const s = `$" + "{ `$" + '{ await import("./deep.ts") }` }`;', ["./deep.ts"]],
		['if (a) { b = /"/; } import("./after-regex.ts")', ["./after-regex.ts"]],
		["const half = (a + b) / 2; const c = '/'; import('./after-division.ts')", ["./after-division.ts"]],
	])("%s", (source, expected) => {
		expect(importsIn(source)).toEqual(expected);
	});

	test.each([
		'// import "./a.ts"',
		'/* import { a } from "./a.ts" */',
		"const a = 'import \"./a.ts\"';",
		"const a = `import './a.ts'`;",
		'const a = /import "x"/u;',
		'object.import("./a.ts")',
		'Array.from("abc")',
		'const range = { from: "a" };',
	])("nothing in %s", (source) => {
		expect(importsIn(source)).toEqual([]);
	});
});

test("a file of a package names that package", () => {
	const named = ["yaml", "ipaddr.js", "@grpc/grpc-js", "@grpc/grpc-js/build/src/server.js", "yaml/util"];
	expect(named.map(packageOf)).toEqual(["yaml", "ipaddr.js", "@grpc/grpc-js", "@grpc/grpc-js", "yaml"]);
	const other = ["node:fs/promises", "bun", "bun:ffi", "./a.ts", "../b/c.ts"];
	expect(other.map(packageOf)).toEqual(other);
});

test("free words are neither properties, keys, strings nor comments", () => {
	const words = freeWords(
		tokenize('const a = { Bun: 1, b: x.process, c: "fetch" }; // console\nlet d = [...Deno];'),
	);
	expect(words.has("Bun")).toBe(false);
	expect(words.has("process")).toBe(false);
	expect(words.has("fetch")).toBe(false);
	expect(words.has("console")).toBe(false);
	expect(words.has("x")).toBe(true);
	expect(words.has("Deno")).toBe(true);
	expect(freeWords(tokenize("const a = b ? Bun : c")).has("Bun")).toBe(true);
});

test("hasSequence sees words in order, over comments, not in strings", () => {
	expect(hasSequence(tokenize("new /* a */ Worker(url)"), ["new", "Worker"])).toBe(true);
	expect(hasSequence(tokenize('"new Worker"; Worker(url)'), ["new", "Worker"])).toBe(false);
});

test("text that ends inside a string or template is no program", () => {
	expect(() => tokenize('const a = "b')).toThrow("unterminated");
	expect(() => tokenize("const a = `b")).toThrow("unterminated");
});
