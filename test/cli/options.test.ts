import { describe, expect, test } from "bun:test";
import { UsageError } from "../../src/cli/command.ts";
import { parseOnlyOptions, parseOptions } from "../../src/cli/options.ts";

const table = { "policy-dir": { type: "string" }, json: { type: "boolean" } } as const;

test("values, flags and arguments come apart in any order", () => {
	const { values, positionals } = parseOptions(["a", "--json", "b", "--policy-dir=x", "--", "--json"], table);
	expect({ ...values }).toEqual({ json: true, "policy-dir": "x" });
	expect(positionals).toEqual(["a", "b", "--json"]);
	expect({ ...parseOnlyOptions(["--policy-dir", "x"], table) }).toEqual({ "policy-dir": "x" });
});

describe("refusals say what to write instead", () => {
	test.each([
		[["--polcy-dir", "x"], "did you mean --policy-dir?"],
		[["--policydir=x"], "did you mean --policy-dir?"],
		[["--jsno"], "did you mean --json?"],
		[["--zzzzzzzzz"], "known options: --policy-dir, --json"],
		[["-j"], "known options: --policy-dir, --json"],
		[["--__proto__"], "there is no option"],
		[["--constructor=1"], "there is no option"],
		[["--policy-dir"], "--policy-dir needs a value"],
		[["--policy-dir="], "--policy-dir needs a value"],
		[["--policy-dir", "--json"], "--policy-dir"],
		[["--json=yes"], "--json takes no value"],
		[["--json", "--json"], "--json is given twice"],
		[["--policy-dir=a", "--policy-dir=b"], "--policy-dir is given twice"],
	])("%p", (args, text) => {
		const parse = () => parseOptions(args, table);
		expect(parse).toThrow(UsageError);
		expect(parse).toThrow(text);
	});

	test("a command without arguments or options says so", () => {
		expect(() => parseOnlyOptions(["x"], table)).toThrow(
			'"x" is not expected here; known options: --policy-dir',
		);
		expect(() => parseOnlyOptions(["--json"], {})).toThrow("this command takes no options");
	});

	test("a long word is cut", () => {
		expect(() => parseOnlyOptions(["x".repeat(5000)], table)).toThrow(/^"x{80}\.\.\." is not/);
	});
});
