import { expect, test } from "bun:test";
import { coverageText, probeText, testText } from "../../../src/cli/test/test-text.ts";
import type { CaseResult, TestRun } from "../../../src/engine/testing/run.ts";

const result = (change: Partial<CaseResult> = {}): CaseResult => ({
	test: "t",
	name: "10.0.0.1 tcp 22",
	ok: true,
	expected: "Allow",
	actual: "Allow",
	policy: "ssh",
	expectedPolicy: null,
	file: "t.yaml",
	line: 7,
	...change,
});

const run = (change: Partial<TestRun>): TestRun => ({
	results: [],
	tables: [],
	packets: [],
	diagnostics: [],
	covered: new Set(),
	rules: new Set(),
	...change,
});

test("a table is told as a table, and of its cells only what failed once more", () => {
	const good = result();
	const bad = result({ name: "10.0.0.2 tcp 22", ok: false, actual: "Block" });
	const alone = result({ name: "alone", actual: "Audit" });
	const table = {
		test: "t",
		name: "who reaches SSH",
		direction: "ingress",
		columns: ["tcp 22", "tcp 80"],
		rows: [
			{ label: "10.0.0.1", cells: [good, null] },
			{ label: "10.0.0.2", cells: [bad, null] },
		],
	};
	const lines = testText(run({ results: [good, bad, alone], tables: [table] }), 2, 1).split("\n");
	expect(lines.slice(0, 4)).toEqual([
		"t: who reaches SSH (ingress; . Allow, X Block, A Audit, ! not as expected)",
		"            tcp 22  tcp 80",
		"  10.0.0.1  .       -",
		"  10.0.0.2  X!      -",
	]);
	expect(lines[4]).toStartWith("FAILED  t: 10.0.0.2 tcp 22: ");
	expect(lines[4]).toEndWith("(t.yaml:7)");
	expect(lines.slice(5)).toEqual(["ok  t: alone", "2 passed, 1 failed", ""]);
});

test("rules that no case decides are named", () => {
	const rules = new Set(["a ingress[0]", "a ingress[1]"]);
	expect(coverageText(run({ rules }), [])).toBe("Some case decides each of 2 rules.\n");
	expect(coverageText(run({ rules }), ["a ingress[1]"])).toBe(
		"No case decides 1 of 2 rules:\n  a ingress[1]\n",
	);
});

test("what packets said otherwise has both verdicts and its place, and what was not sent has its reason", () => {
	const text = probeText({
		forms: ["concatenated", "nested"],
		agreed: 1,
		disagreements: [
			{
				...{ test: "t", name: "n\u001b[2J", form: "nested", file: "t.yaml", line: 3 },
				model: { action: "Allow", policy: "a" },
				kernel: { action: "Block", policy: null },
			},
		],
		skipped: [{ test: "t", name: "m", reason: "it is multicast" }],
	});
	expect(text).not.toContain("\u001b");
	expect(text).toContain(
		"the model says Allow by a, this kernel Block as no rule matches (nested; t.yaml:3)",
	);
	expect(text).toContain("not probed  t: m: it is multicast\n");
	expect(text).toContain("agree about 1 packet and disagree about 1 (concatenated, nested)");
	expect(probeText({ forms: [], agreed: 0, disagreements: [], skipped: [] })).toContain(
		"(no form of ruleset)",
	);
});
