/** Whatever is read line by line is what the YAML library reads. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isMap, isScalar, isSeq } from "yaml";
import { parsePlainYaml } from "../../src/document/plain-yaml.ts";
import { parseSyntax, parseWithLibrary, syntaxBudget } from "../../src/document/syntax.ts";

/** All that is asked of nodes: what they are, what they say, and where they begin. */
function outline(node: unknown): unknown {
	if (isScalar(node)) return [node.value, node.source, node.type, node.range?.[0]];
	if (isSeq(node)) return { at: node.range?.[0], items: node.items.map(outline) };
	if (!isMap(node)) return null;
	return { at: node.range?.[0], fields: node.items.map(({ key, value }) => [outline(key), outline(value)]) };
}

/** Throws where the two differ; whether the text was read line by line. */
function expectAlike(source: string): boolean {
	const plain = parsePlainYaml(source);
	if (plain === null) return false;
	const budget = syntaxBudget();
	const whole = budget.lexemes;
	const { contents, problems } = parseWithLibrary(source, budget);
	expect(problems).toEqual([]);
	expect(outline(plain.contents)).toEqual(outline(contents));
	expect(plain.lexemes).toBe(whole - budget.lexemes);
	return true;
}

const policy = `---
# Who may come in.
apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata:
  name: web
spec:
  nodeSelector:
    matchLabels:
      kubernetes.io/hostname: "*"

  message: blocked, until somebody (of us) says else
  severity: 5
  ingress:
  - from:
      # the office
    - ipBlock:
        cidr: 10.0.0.0/8
        except:
        - 10.1.0.0/16
        - "10.2.0.0/16"
    - ipBlock:
        cidr: ::/0
    iface:
      - eth0
    ports:
      - protocol: TCP
        port: 443
      - port: '80'
    action: Allow
`;

describe("what is read line by line", () => {
	test("is a policy as people write it", () => {
		expect(expectAlike(policy)).toBe(true);
		expect(parseSyntax(policy).problems).toEqual([]);
	});

	test.each([
		["a list at its key", "a:\n- b: 1\n- c: 2\n"],
		["a list below its key", "a:\n  - b: 1\n    c: x\n  - d\nz: 1\n"],
		["an end without a break", "a: 1"],
		["comments anywhere", "# x\na:\n# y\n  b: 1\n    # z\n\n  c: 2\n# end\n"],
		["quotes", 'a: "x: \'y\' # z"\nb: \'say "no"\'\nc: ""\n'],
		["addresses", "a: 2001:db8::/32\nb: ::1\nc: 10.0.0.1\nd: 1a:2b:3c:4d:5e:6f\n"],
	])("%s", (_, text) => {
		expect(expectAlike(text)).toBe(true);
	});

	test.each([
		["flow collections", "a: {b: 1}\n"],
		["anchors", "a: &b x\n"],
		["a comment behind a value", "a: b # c\n"],
		["a value on the next line", "a:\n  b\n"],
		["a key without a value", "a:\nb: 1\n"],
		["numbers of other forms", "a: 0x10\n"],
		["leading zeros", "a: 010\n"],
		["other words for nothing", "a: Null\n"],
		["a second document", "a: 1\n---\nb: 2\n"],
		["tabs", "a:\tb\n"],
		["other line breaks", "a: b\r\n"],
		["a value that goes on", "a: b\n  c\n"],
		["indentation that fits nothing", "a:\n    b: 1\n  c: 2\n"],
		["a list in a list", "a:\n- - b\n"],
		["escapes", 'a: "\\n"\n'],
		["a scalar alone", "a\n"],
		["nothing", ""],
	])("is not %s", (_, text) => {
		expect(parsePlainYaml(text)).toBeNull();
	});
});

/** Lines that are parts of policies, and lines that are not quite. */
const words = fc.constantFrom(
	...["a", "b-c", "x.y/z", "kubernetes.io/hostname", "null", "1", "0", "010", "1.5", "10.0.0.0/8", "::/0"],
	...["2001:db8::1", '"*"', "'q'", "a b", "a: b", "a:", ":a", "- a", "", "1e3", "0x1", "~", "true", "a#b"],
	...["a #b", "{}", "[]", "*a", "&a", "!a", "1a:2b", "1.2.3.4", "12:30", "a,b", "(a)", "1_000", ".5", "..."],
	...["-", "?", "%a", "@a", "`a", '"a" b', "'a''b'", "-1", "+1", "a  b", "é", "a:b", "12:30:45", "1.", "1/2"],
);
const indent = fc.integer({ min: 0, max: 8 }).map((count) => " ".repeat(count));
const line = fc.oneof(
	{
		weight: 6,
		arbitrary: fc
			.tuple(indent, fc.constantFrom("", "", "- "), words, words)
			.map(([i, d, k, v]) => `${i}${d}${k}:${v === "" ? "" : ` ${v}`}`),
	},
	{ weight: 3, arbitrary: fc.tuple(indent, words).map(([i, v]) => `${i}- ${v}`) },
	{ weight: 1, arbitrary: fc.tuple(indent, words).map(([i, v]) => `${i}${v}`) },
	{ weight: 1, arbitrary: fc.tuple(indent, fc.constantFrom("# c", "#", "")).map(([i, v]) => `${i}${v}`) },
);
const ends = fc.constantFrom("\n", "");

test("whatever is taken is what the library reads, of random lines", () => {
	fc.assert(
		fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), ends, (lines, end) => {
			expectAlike(lines.join("\n") + end);
		}),
		{ numRuns: 5000 },
	);
});

test("and so of policies with a line changed, taken away or moved", () => {
	const lines = policy.split("\n");
	let taken = 0;
	fc.assert(
		fc.property(fc.nat(lines.length - 1), fc.nat(lines.length - 1), line, fc.nat(2), (at, to, text, how) => {
			const changed = [...lines];
			const [gone = ""] = changed.splice(at, 1);
			if (how > 0) changed.splice(to, 0, how === 1 ? text : gone);
			if (expectAlike(changed.join("\n"))) taken += 1;
		}),
		{ numRuns: 3000 },
	);
	expect(taken).toBeGreaterThan(200);
});
