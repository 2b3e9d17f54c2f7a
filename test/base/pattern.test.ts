import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compilePattern, patternLimits } from "../../src/base/pattern.ts";

function matches(pattern: string, text: string): boolean {
	const result = compilePattern(pattern);
	if (!result.ok) throw new Error(result.message);
	return result.matches(text);
}

test.each([
	["node-1", "node-1", true],
	["node-1", "node-10", false],
	["node-1", "a-node-1", false],
	["^node-1$", "node-1", true],
	["node-\\d+", "node-42", true],
	["node-[0-9]{1,2}", "node-123", false],
	["node-[0-9]{2,}", "node-123", true],
	["node-[0-9]{3}", "node-12", false],
	["(web|db)-.*", "db-x", true],
	["(?:web|db)-.*", "cache-x", false],
	["web|db", "web", true],
	["web|db", "dbx", false],
	["[^a-c]x", "dx", true],
	["[^a-c]x", "bx", false],
	["[a-]+", "a-a", true],
	["[-a]+", "a-a", true],
	["a\\.b", "axb", false],
	["a\\$", "a$", true],
	["a.b", "axb", true],
	["", "", true],
	["", "a", false],
	[".*", "", true],
	["(a*)*", "aaa", true],
	["(a|)*b", "aab", true],
	["colou?r", "color", true],
	["Node", "node", false],
	["a{0}b", "b", true],
	["a{0}b", "ab", false],
	["[\\]]", "]", true],
	["\\w+", "a_9", true],
])("%j on %j is %p (N25)", (pattern, text, expected) => {
	expect(matches(pattern, text)).toBe(expected);
});

test.each([
	"(a",
	"a)",
	"[a",
	"*a",
	"a**",
	"a{2",
	"a{3,1}",
	"a{x}",
	"(?=a)",
	"(?<n>a)",
	"\\1",
	"\\b",
	"a^b",
	"a$b",
	"\\",
	"[]",
	"[[:alpha:]]",
	"[z-a]",
	"x".repeat(300),
])("%j is refused with a reason", (pattern) => {
	const result = compilePattern(pattern);
	expect(!result.ok && result.message.length > 10).toBe(true);
});

describe("no expression is expensive", () => {
	test.each(["(a+)+", "(a|a)*", "(a*)*", "(a|aa)+", "([a-z]+)*", "a{0,200}a{200}", "(.*)(.*)(.*)(.*)(.*)x"])(
		"%s on a long text",
		(pattern) => {
			expect(matches(pattern, `${"a".repeat(5000)}!`)).toBe(false);
		},
	);

	test.each([
		"((a{100}){100}){100}",
		"((((){999}){999}){999}){999}",
		"(((){0,999}){0,999}){0,999}",
		`${"(".repeat(100)}a${")".repeat(100)}`,
	])("%s is refused", (pattern) => {
		expect(compilePattern(pattern).ok).toBe(false);
	});
});

test("agrees with JavaScript's own engine on the shared subset", () => {
	const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\d", "\\.", "1");
	const { pattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
		part: fc.oneof(
			{ depthSize: "small", withCrossShrink: true },
			atom,
			fc.tuple(atom, fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "{1,}")).map((parts) => parts.join("")),
			fc
				.tuple(tie("pattern"), fc.constantFrom("", "*", "+", "?", "{0,2}"))
				.map(([inner, q]) => `(${inner})${q}`),
		),
		pattern: fc.oneof(
			{ depthSize: "small" },
			fc.array(tie("part"), { maxLength: 4 }).map((parts) => parts.join("")),
			fc.tuple(tie("pattern"), tie("pattern")).map(([a, b]) => `${a}|${b}`),
		),
	}));
	const text = fc.string({ unit: fc.constantFrom("a", "b", "1", ".", "x"), maxLength: 6 });
	fc.assert(
		fc.property(pattern, text, (source, subject) => {
			fc.pre(source.length <= patternLimits.length);
			const result = compilePattern(source);
			fc.pre(result.ok);
			if (result.ok) expect(result.matches(subject)).toBe(new RegExp(`^(?:${source})$`).test(subject));
		}),
		{ numRuns: 3000 },
	);
});

test("never throws", () => {
	const unit = fc.constantFrom(..."a(|)[]{}*+?^$\\.-,:0129");
	fc.assert(
		fc.property(fc.string({ unit, maxLength: 40 }), (source) => {
			const result = compilePattern(source);
			if (result.ok) result.matches("aaaa");
		}),
		{ numRuns: 5000 },
	);
});
