/** Metrics about the tests beside the policies; without samples where there are none. Pure. */

import type { DaemonState } from "../status.ts";
import { type MetricGroup, one } from "./group.ts";

export const testsMetrics: MetricGroup<{ readonly state: DaemonState }> = [
	{
		name: "portward_policy_tests",
		type: "gauge",
		help: "Test cases beside the policies, by how they ended at the last reading.",
		labels: ["result"],
		since: "0.2.0",
		samples: ({ state: { tests } }) =>
			tests === null
				? []
				: [
						{ labels: { result: "passed" }, value: tests.passed },
						{ labels: { result: "failed" }, value: tests.failed },
					],
	},
	{
		name: "portward_policy_tests_refused",
		type: "gauge",
		help: "Whether the policies on disk are refused because a test fails.",
		labels: [],
		since: "0.2.0",
		samples: ({ state: { tests } }) => (tests === null ? [] : one(Number(tests.refused))),
	},
];
