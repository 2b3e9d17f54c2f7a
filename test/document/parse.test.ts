import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isBroken, type ParsedDocument, parseOneDocument } from "../../src/document/parse.ts";
import { syntaxLimits } from "../../src/document/syntax.ts";
import { registeredKinds } from "../../src/engine/enforcers.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { brief, only, policyText } from "../engine/support/policy.ts";

const good = policyText("ingress: [{}]");

function codes(document: ParsedDocument | undefined): string[] {
	return document?.diagnostics.map((d) => d.code) ?? [];
}

describe("documents of a file", () => {
	test.each([
		["one", good, ["p"]],
		["a leading marker", `---\n${good}`, ["p"]],
		["comments and a leading marker", `# c\n\n---\n${good}`, ["p"]],
		["stray markers", `---\n---\n# nothing\n---\n${good}---\n`, ["p"]],
		["two", `${good}---\n${good.replace("name: p", "name: q")}`, ["p", "q"]],
		["an end marker", `${good}...\n---\n${good.replace("name: p", "name: q")}...\n`, ["p", "q"]],
		["an end marker without a start", `${good}...\n${good.replace("name: p", "name: q")}`, ["p", "q"]],
		["CRLF", `${good}---\n${good}`.replaceAll("\n", "\r\n"), ["p", "p"]],
		["a byte order mark", `\ufeff${good}`, ["p"]],
		["a directive", `%YAML 1.2\n---\n${good}`, ["p"]],
		["only comments", "# all of it is gone\n", []],
		["no newline at the end", good.trimEnd(), ["p"]],
	])("%s", (_name, text, names) => {
		const { documents, syntaxBroken } = parsePolicyFile("f.yaml", text);
		expect(documents.map((d) => d.policy?.name)).toEqual(names);
		expect(documents.map((d) => d.index)).toEqual(names.map((_, index) => index));
		expect(syntaxBroken).toBe(false);
	});

	test("places count from the file's start and survive saving", () => {
		const text = `# first\n---\n${good}---\n# second\n${good.replace("severity", "").replace("ingress: [{}]", "ingress: [{iface: [lo]}]")}`;
		const { documents } = parsePolicyFile("f.yaml", text);
		const [first, second] = documents;
		expect(first?.place).toEqual({ file: "f.yaml", line: 3, column: 1 });
		expect(second?.diagnostics[0]).toMatchObject({ line: 22, column: 22, code: "loopback" });
		for (const document of documents) {
			const again = parseOneDocument(
				"f.yaml",
				document.source,
				document.firstLine,
				document.index,
				registeredKinds,
			);
			expect(again).toEqual(document);
		}
	});

	test("--- glued to the content keeps its columns", () => {
		const { documents } = parsePolicyFile("f.yaml", `${good}--- {kind: X}\n`);
		expect(documents[1]?.diagnostics[0]).toMatchObject({ line: 10, column: 12, code: "unknown-kind" });
	});

	test("a marker inside a quoted or block text ends the document, as YAML has it", () => {
		const open = good.replace("name: p", 'name: "p');
		const { documents, syntaxBroken } = parsePolicyFile("f.yaml", `${open}---\n${good}`);
		expect(documents.map((d) => d.policy?.name)).toEqual([undefined, "p"]);
		expect(syntaxBroken).toBe(true);
	});

	test.each([
		["an open bracket", "a: [1, 2\n"],
		["an open quote", "a: 'x\n"],
		["bad indentation", "a:\n  - b\n c: d\n"],
		["a glued colon", good.replace("kind: ", "kind:")],
		["nesting", "[".repeat(100_000)],
		["a control character", good.replace("name: p", "name: p\u0000")],
		["invalid UTF-8", good.replace("name: p", "name: p\ufffd")],
		["an unknown tag", "!evil a: b\n"],
		["an unknown kind", good.replace("kind: KubeArmorNetworkPolicy", "kind: Nothing")],
	])("%s leaves the documents around it alone", (_name, bad) => {
		const { documents } = parsePolicyFile("f.yaml", `${good}---\n${bad}\n---\n${good}`);
		expect(documents.map((d) => d.policy?.name ?? null)).toEqual(["p", null, "p"]);
		expect(documents.map(isBroken)).toEqual([false, true, false]);
	});

	test("directives without a document are an error, not a file without policies", () => {
		expect(codes(only("%YAML 1.2\n"))).toEqual(["yaml-syntax"]);
		expect(codes(only("% 10.0.0.0/8\n# c\n"))).toContain("yaml-syntax");
	});
});

describe("kinds", () => {
	const kind = (text: string): string => good.replace("kind: KubeArmorNetworkPolicy", text);
	test.each([
		["kind: KubeArmorNetworkPolicie", "error unknown-kind kind", "did you mean KubeArmorNetworkPolicy?"],
		["kind: NetworkPolicy", "error unknown-kind kind", "known kinds"],
		["kind: constructor", "error unknown-kind kind", "known kinds"],
		["kind: [a]", "error missing-kind kind", "write kind"],
		["", "error missing-kind kind", "write kind"],
		["kind: KubeArmorPolicy", "error no-pods kind", "KubeArmorNetworkPolicy"],
		["kind: KubeArmorClusterPolicy", "error no-pods kind", "KubeArmorNetworkPolicy"],
		["kind:KubeArmorNetworkPolicy", "error missing-space ", "write kind: "],
	])("%j (N28)", (text, finding, hint) => {
		const document = only(kind(text));
		expect(brief(document.diagnostics)).toEqual([finding]);
		expect(document.diagnostics[0]?.hint).toContain(hint);
		expect(document.policy).toBeNull();
	});

	test.each(["- a\n- b\n", "just text\n", "42\n", "[]\n"])("%j is no policy", (text) => {
		expect(codes(only(text))).toEqual(["wrong-type"]);
	});

	test("a glued colon hides no earlier mistake", () => {
		const text = good.replace("metadata:", "metadata: [").replace("ingress: [{}]", "port:22");
		expect(codes(only(text))).toEqual(["yaml-syntax", "missing-space"]);
	});

	test("a kind that cannot be shown is not passed on", () => {
		expect(only(kind('kind: "\\e[31m"')).kind).toBeNull();
		expect(only(kind(`kind: ${"k".repeat(1000)}`)).kind).toBeNull();
	});

	test("kind and name are known even of a broken document", () => {
		expect(only(policyText("action: Nope"))).toMatchObject({
			kind: "KubeArmorNetworkPolicy",
			name: "p",
			policy: null,
		});
	});
});

describe("bounds", () => {
	test.each(["", " \n\t\r\n ", "\ufeff"])("%j is an empty file, which is broken and not deleted", (text) => {
		const { documents, syntaxBroken } = parsePolicyFile("f.yaml", text);
		expect(documents.map(codes)).toEqual([["empty-file"]]);
		expect(syntaxBroken).toBe(true);
	});

	test("a file beyond the size limit is refused unread", () => {
		const { documents } = parsePolicyFile("f.yaml", "#".repeat(syntaxLimits.fileLength + 1));
		expect(documents.map(codes)).toEqual([["file-too-large"]]);
	});

	test("documents beyond the limit are refused, the others stand", () => {
		const { documents, syntaxBroken } = parsePolicyFile(
			"f.yaml",
			"---\na\n".repeat(syntaxLimits.documents + 5),
		);
		expect(documents).toHaveLength(syntaxLimits.documents + 1);
		expect(codes(documents.at(-1))).toEqual(["too-many-documents"]);
		expect(documents.at(-1)?.index).toBe(syntaxLimits.documents);
		expect(syntaxBroken).toBe(true);
	});

	test.each(["[", "{a: ", "- ", "? ", "[{", "a: [", "[? "])(
		"%j nested without end is an error, not a crash",
		(unit) => {
			const { documents } = parsePolicyFile("f.yaml", unit.repeat(50_000));
			expect(documents.map(codes)).toEqual([["too-deep"]]);
		},
	);

	test("an alias bomb is an error", () => {
		const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
		const bomb = policyText(`ingress: [{from: *l9}]\nl0: &l0 [x]\n${levels.join("\n")}`);
		expect(isBroken(only(bomb))).toBe(true);
		const wide = `tags: &t [a]\ningress: [${"{tags: *t},".repeat(101)}]`;
		expect(brief(only(policyText(wide)).diagnostics)).toContain(
			"error too-many-aliases spec.ingress[100].tags",
		);
	});

	test("large anchors used often run into the bound on elements", () => {
		const tags = `[${"a,".repeat(20_000)}]`;
		const document = only(policyText(`tags: &t ${tags}\ningress: [${"{tags: *t},".repeat(60)}]`));
		expect(codes(document)).toContain("too-many-elements");
	});

	test("an alias to its own surroundings ends", () => {
		expect(isBroken(only(policyText("ingress: &i [{from: *i}]")))).toBe(true);
		expect(isBroken(only("&a {kind: *a, spec: *a, metadata: *a}"))).toBe(true);
	});

	test("findings are counted, not listed without end", () => {
		const document = only(policyText(`ingress: [${"{x: 1},".repeat(5000)}]`));
		expect(document.diagnostics).toHaveLength(100);
		expect(codes(document)).toContain("too-many-findings");
	});

	test("texts are bounded, and messages quote little of them", () => {
		expect(codes(only(policyText(`message: ${"x".repeat(5000)}\ningress: [{}]`)))).toEqual(["too-long"]);
		const document = only(policyText(`${"y".repeat(100_000)}: 1`));
		for (const { message, path, hint } of document.diagnostics) {
			expect(message.length + path.length + hint.length).toBeLessThan(1000);
		}
	});

	test("what the YAML library says of hostile text stays on one line", () => {
		for (const text of ['a: "\\U\nb"', 'a: "\\z\u2028\u202e"', "a: &\u202e\u2028 b: c"]) {
			for (const { message } of only(text).diagnostics) expect(message).not.toMatch(/[\n\u2028\u202e]/);
		}
	});

	test("terminal escapes and bidirectional marks of a file do not reach a message raw", () => {
		const document = only(policyText('"\\e[31m\\u202e": 1'));
		expect(document.diagnostics[0]?.message).not.toMatch(/[\u001b\u202e]/);
		expect(document.diagnostics[0]?.path).not.toMatch(/[\u001b\u202e]/);
	});
});

describe("any text", () => {
	/** The contract of every result, whatever the text. */
	function check(text: string): void {
		const parsed = parsePolicyFile("f.yaml", text);
		for (const [index, document] of parsed.documents.entries()) {
			expect(document.index).toBe(index);
			for (const d of document.diagnostics) {
				expect(d.line).toBeGreaterThanOrEqual(1);
				expect(d.column).toBeGreaterThanOrEqual(1);
				expect(d.code).toMatch(/^[a-z][a-z-]*$/);
				expect(d.message).not.toBe("");
				expect(d.message + d.hint + d.path).not.toMatch(/[\u0000-\u001f\u2028-\u202e]/);
			}
			const hasError = document.diagnostics.some((d) => d.severity === "error");
			expect(isBroken(document)).toBe(hasError);
			if (hasError) expect(document.policy).toBeNull();
			structuredClone(document);
		}
	}

	test.each([
		["!!binary |\n    c2V2\n    ZXJhbA==", 'a value with the tag "tag:yaml.org,2002:binary"'],
		["!!timestamp 2001-12-14", 'a value with the tag "tag:yaml.org,2002:timestamp"'],
		["1_\u202e0", null],
		["|\n    1\n    2", null],
		["!!int 12", "the number"],
	])("what a value is called stays on one line: %j", (value, called) => {
		const text = policyText(`message: ${value}\ningress: [{}]`);
		check(text);
		const { documents } = parsePolicyFile("f.yaml", text);
		const messages = documents.flatMap(({ diagnostics }) => diagnostics.map(({ message }) => message));
		expect(messages.filter((message) => message.startsWith("expected"))).toEqual(
			called === null ? [] : [expect.stringContaining(called)],
		);
	});

	test("never throws on arbitrary text", () => {
		const yamlish = fc.string({
			unit: fc.constantFrom(..."ab:-[]{}&*!|>'\"#%@`,? \n\t\r\u0000\ufeff~0.<="),
			maxLength: 200,
		});
		fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), yamlish), check), {
			numRuns: 3000,
		});
	});

	const rich = policyText(`action: Audit
severity: 5
tags: [a, "b"]
message: |
  several
  lines
ingress:
- from:
  - ipBlock: {cidr: "10.0.0.0/8", except: [10.1.0.0/16]}
  iface: [eth0, "wg*"]
  ports:
  - {protocol: TCP, port: 8000, endPort: 9000}
egress:
- to: [{ipBlock: {cidr: "2001:db8::/32"}}]
  action: Allow`);

	test("never throws on a mutated policy", () => {
		const mutation = fc.record({
			at: fc.nat(rich.length),
			remove: fc.nat(20),
			insert: fc.oneof(
				fc.string({ maxLength: 10 }),
				fc.constantFrom(
					"__proto__: ",
					"constructor: ",
					"&a ",
					"*a",
					"<<: ",
					"!!binary ",
					"!!timestamp 2001-12-14 #",
					"\u202e",
					"\n---\n",
					"[",
					"{",
					"~",
					"null",
					"- ",
					": ",
					"'",
					"\t",
				),
			),
		});
		fc.assert(
			fc.property(fc.array(mutation, { minLength: 1, maxLength: 5 }), (mutations) => {
				let text = rich;
				for (const { at, remove, insert } of mutations)
					text = text.slice(0, at) + insert + text.slice(at + remove);
				check(text);
			}),
			{ numRuns: 3000 },
		);
	});

	test("never throws on any JSON in any field", () => {
		const fields = [
			"action",
			"severity",
			"tags",
			"message",
			"ingress",
			"egress",
			"nodeSelector",
			"selector",
			"network",
			"__proto__",
		];
		fc.assert(
			fc.property(fc.constantFrom(...fields), fc.jsonValue({ maxDepth: 5 }), (field, value) => {
				const spec = `{${JSON.stringify(field)}: ${JSON.stringify(value)}}`;
				check(
					`{"apiVersion": "security.kubearmor.com/v1", "kind": "KubeArmorNetworkPolicy", "metadata": {"name": "p"}, "spec": ${spec}}`,
				);
			}),
			{ numRuns: 2000 },
		);
	});
});

test("inherited names are no fields, and pollute nothing", () => {
	only(policyText("ingress: [{}]").replace('kubernetes.io/hostname: "*"', "__proto__: polluted"));
	only('{"__proto__": {"polluted": true}, "kind": "KubeArmorNetworkPolicy"}');
	expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
});
