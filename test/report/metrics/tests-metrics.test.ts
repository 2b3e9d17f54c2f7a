import { expect, test } from "bun:test";
import { formatFamilies } from "../../../src/report/metrics/exposition.ts";
import { familiesOf } from "../../../src/report/metrics/group.ts";
import { testsMetrics } from "../../../src/report/metrics/tests-metrics.ts";
import type { DaemonState } from "../../../src/report/status.ts";
import { sampleState } from "../sample.ts";

test("metrics say how the tests ended and whether they refuse the policies, and nothing where there are none", () => {
	const samples = (tests: DaemonState["tests"]) =>
		formatFamilies(familiesOf([testsMetrics], { state: sampleState({ tests }) }))
			.split("\n")
			.filter((line) => line !== "" && !line.startsWith("#"));
	expect(samples({ mode: "enforce", passed: 7, failed: 2, refused: true, problems: ["why"] })).toEqual([
		'portward_policy_tests{result="failed"} 2',
		'portward_policy_tests{result="passed"} 7',
		"portward_policy_tests_refused 1",
	]);
	expect(samples({ mode: "warn", passed: 7, failed: 2, refused: false, problems: ["why"] })).toContain(
		"portward_policy_tests_refused 0",
	);
	expect(samples(null)).toEqual([]);
});
