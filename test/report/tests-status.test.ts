import { expect, test } from "bun:test";
import { describeTests, type TestsState, testsAlert } from "../../src/report/tests-status.ts";

const host = { hostName: "h", clusterName: "c", nodeId: "n" };
const failing: TestsState = {
	mode: "enforce",
	passed: 2,
	failed: 2,
	refused: true,
	problems: ["t.yaml:6: test t: a", "t.yaml:7: test t: b"],
};

test("what fails first is named, and how many more there are", () => {
	expect(describeTests(failing)).toBe(
		"the policies on disk are refused, as their tests fail, and what was good before stays: t.yaml:6: test t: a, and 1 more",
	);
	expect(describeTests({ ...failing, mode: "warn", refused: false })).toStartWith(
		"tests of the policies fail",
	);
	expect(describeTests({ ...failing, failed: 0, problems: [] })).toBeNull();
});

test("a refusal is a Block, and a warning an Audit; both name every problem", () => {
	const refused = testsAlert(failing, "/etc/portward/policies", 0, host);
	expect(refused).toMatchObject({ Action: "Block", Tags: "POLICY-TESTS", Severity: "8" });
	expect(refused.EventData).toMatchObject({
		Mode: "enforce",
		Failed: "2",
		Reason: failing.problems.join("\n"),
	});
	const warned = testsAlert({ ...failing, refused: false }, "/etc/portward/policies", 0, host);
	expect(warned).toMatchObject({ Action: "Audit", Severity: "5" });
});
