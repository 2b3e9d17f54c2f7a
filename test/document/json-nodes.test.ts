import { expect, test } from "bun:test";
import fc from "fast-check";
import { Composer, isMap, isScalar, isSeq, type Node, Parser } from "yaml";
import { maxJsonNodes, parseJson } from "../../src/document/json-nodes.ts";
import { syntaxLimits } from "../../src/document/syntax.ts";

const { depth } = syntaxLimits;

/** What the reader of fields looks at: kinds, values, sources and where each node begins. */
function shape(node: unknown): unknown {
	if (isScalar(node)) return [node.range?.[0], node.value, node.source];
	if (isSeq(node)) return [node.range?.[0], "list", node.items.map(shape)];
	if (isMap(node)) {
		const pairs = node.items.map(({ key, value }) => [shape(key), shape(value)]);
		return [node.range?.[0], "map", pairs];
	}
	return node;
}

function byYaml(source: string): Node | null {
	const composer = new Composer({ uniqueKeys: false });
	const [document] = [...composer.compose(new Parser().parse(source), true, source.length)];
	expect(document?.errors).toEqual([]);
	return document?.contents ?? null;
}

function byJson(source: string): Node | null {
	const parsed = parseJson(source, depth);
	return parsed?.kind === "nodes" ? parsed.contents : null;
}

test("any JSON document is read as YAML reads it, with the same places", () => {
	const space = fc.constantFrom(undefined, 1, "\t");
	fc.assert(
		fc.property(fc.json({ maxDepth: 5 }), space, (text, indent) => {
			const value: unknown = JSON.parse(text);
			fc.pre(typeof value === "object" && value !== null);
			// YAML takes no tab for indentation, and no character that is not printable.
			const source = JSON.stringify(value, null, indent === "\t" ? 2 : indent);
			expect(shape(byJson(source))).toEqual(shape(byYaml(source)));
		}),
		{ numRuns: 300 },
	);
});

test.each([
	["an escape of every kind", '{"a": "\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00"}'],
	["numbers", "[0, -1, 2.5, 10, 1e3, 22]"],
	["words", '{"a": true, "b": false, "c": null}'],
	["repeated keys", '{"a": 1, "a": 2}'],
	["nothing", " {}\n"],
])("%s is as YAML has it", (_, source) => {
	expect(shape(byJson(source))).toEqual(shape(byYaml(source)));
});

test.each([
	"",
	"a: 1",
	"{a: 1}",
	"[1,]",
	"[1 2]",
	"{'a': 1}",
	'{"a" 1}',
	'{"a": 01}',
	'{"a": +1}',
	'{"a": .5}',
	'{"a": yes}',
	'{"a": "\n"}',
	'{"a": "\\x41"}',
	"[1] # why",
	"[*a]",
	"{",
	"[",
	'["',
	"-1",
	`${"[".repeat(depth + 1)}${"]".repeat(depth + 1)}`,
])("%j is left to YAML", (source) => {
	expect(parseJson(source, depth)).toBeNull();
});

test("any text is taken or left without an exception", () => {
	const token = fc.constantFrom(
		"{",
		"}",
		"[",
		"]",
		'"',
		",",
		":",
		"\\",
		"1",
		"true",
		" ",
		"\n",
		"a",
		"-",
		'"a"',
	);
	fc.assert(
		fc.property(fc.array(token, { maxLength: 40 }), (tokens) => {
			const source = tokens.join("");
			const parsed = parseJson(source, depth);
			let valid = false;
			try {
				const value: unknown = JSON.parse(source);
				valid = typeof value === "object" && value !== null;
			} catch {}
			expect(parsed?.kind === "nodes").toBe(valid);
		}),
		{ numRuns: 2000 },
	);
});

test("one node more than there may be is told where it stands", () => {
	const zeros = (count: number) => `[${"0,".repeat(count - 1)}0]`;
	expect(parseJson(zeros(maxJsonNodes - 1), depth)?.kind).toBe("nodes");
	expect(parseJson(zeros(maxJsonNodes), depth)).toEqual({ kind: "too-many", offset: 2 * maxJsonNodes - 1 });
});
