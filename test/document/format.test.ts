import { expect, test } from "bun:test";
import { formatDocuments } from "../../src/document/format.ts";
import { mapping, text } from "../../src/document/json-schema.ts";

const schemas = {
	Thing: mapping(["kind", "spec"], {
		kind: text,
		spec: mapping(["a", "b", "c"], { a: text, b: text, c: text }),
	}),
};
const format = (source: string, json = false) => {
	const formatted = formatDocuments(source, schemas, json);
	return formatted.ok ? formatted.text : formatted;
};

test("fields in the order of the schema, each with its comments", () => {
	expect(
		format(`# about the file

# about the spec
spec:
    # about b
    "b":   'x'   # behind b

    # about a
    a: "1"
    other: [ 1,2 ]
    # at the end
kind: Thing
`),
	).toBe(`kind: Thing
# about the file

# about the spec
spec:
  # about a
  a: "1"
  # about b
  b: x # behind b
  other: [1, 2]
  # at the end
`);
});

test("quotes where YAML, of either version, would read something else", () => {
	const words = [
		"on",
		"1",
		"true",
		"~",
		"*x",
		"a: b",
		"0777",
		"1e3",
		" x",
		"x #y",
		"plain",
		"a-b",
		"2001:db8::1",
	];
	expect(format(words.map((word) => `- '${word}'\n`).join(""))).toBe(
		`${[
			'"on"',
			'"1"',
			'"true"',
			'"~"',
			'"*x"',
			'"a: b"',
			'"0777"',
			'"1e3"',
			'" x"',
			'"x #y"',
			"plain",
			"a-b",
			"2001:db8::1",
		]
			.map((word) => `- ${word}\n`)
			.join("")}`,
	);
});

test("brackets stay where they fit a line, and are block style where not", () => {
	expect(format("a: {b: [1, 2],\n  c: {d: e}}\n")).toBe("a: {b: [1, 2], c: {d: e}}\n");
	const long = `{name: ${"x".repeat(60)}, other: ${"y".repeat(60)}, few: [1]}`;
	expect(format(`a: ${long}\n`)).toBe(
		`a:\n  name: ${"x".repeat(60)}\n  other: ${"y".repeat(60)}\n  few: [1]\n`,
	);
	expect(format("a: [1, # one\n  2]\n")).toBe("a:\n- 1 # one\n- 2\n");
});

test("several documents, comments between them, and what an anchor stands for", () => {
	expect(format("---\n# first\na: 1\n---\n# nothing\n---\nb: 2\n...\n# last\n")).toBe(
		"# first\na: 1\n\n# nothing\n---\nb: 2\n\n# last\n",
	);
	const anchored = "spec:\n  c: &x 1\n  a: *x\nkind: Thing\n";
	expect(format(anchored)).toBe(anchored);
	expect(format("\ufeffa: 1\r\nb:   2\r\n")).toBe("a: 1\nb: 2\n");
});

test("what spreads over lines keeps what it says", () => {
	expect(format("a: |\n    x\n\n    y\nb: >-\n    c\n    d\n")).toBe("a: |\n  x\n\n  y\nb: >-\n  c d\n");
});

test("JSON stays JSON in a file of that name, and is block style elsewhere", () => {
	const source = '{"spec":{"b":"1","a":1},"kind":"Thing"}';
	expect(format(source, true)).toBe(
		'{\n  "kind": "Thing",\n  "spec": {\n    "a": 1,\n    "b": "1"\n  }\n}\n',
	);
	expect(format(source)).toBe('kind: Thing\nspec:\n  a: 1\n  b: "1"\n');
});

test("no YAML is no file to format", () => {
	expect(format("a: [")).toMatchObject({ ok: false, reason: expect.stringContaining("must") });
});
