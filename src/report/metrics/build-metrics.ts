/** Which build this is. Pure. */

import type { MetricGroup } from "./group.ts";

export interface BuildFacts {
	readonly version: string;
	/** The commit it was built from; "" when unknown. */
	readonly commit: string;
	readonly bunVersion: string;
}

export const buildMetrics: MetricGroup<{ readonly build: BuildFacts }> = [
	{
		name: "portward_build_info",
		type: "gauge",
		help: "Constant 1; the labels tell the build.",
		labels: ["version", "commit", "bun"],
		since: "0.2.0",
		samples: ({ build: { version, commit, bunVersion } }) => [
			{ labels: { version, commit, bun: bunVersion }, value: 1 },
		],
	},
];
