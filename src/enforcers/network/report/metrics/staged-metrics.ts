/** Metrics about staged policies. Pure. */

import type { StagedCount } from "../../../../report/contribution.ts";
import type { MetricGroup } from "../../../../report/metrics/group.ts";

interface Input {
	readonly staged: ReadonlyMap<string, StagedCount>;
}

function samples({ staged }: Input, value: (count: StagedCount) => number) {
	return [...staged].map(([policy, count]) => ({ labels: { policy }, value: value(count) }));
}

export const stagedMetrics: MetricGroup<Input> = [
	{
		name: "portward_staged_evaluated_total",
		type: "counter",
		help: "Packets of new flows about which a staged network policy was asked.",
		labels: ["policy"],
		since: "0.2.0",
		samples: (input) => samples(input, ({ evaluated }) => evaluated),
	},
	{
		name: "portward_staged_would_block_total",
		type: "counter",
		help: "Packets that pass and that a staged network policy would block.",
		labels: ["policy"],
		since: "0.2.0",
		samples: (input) => samples(input, ({ wouldBlock }) => wouldBlock),
	},
];
