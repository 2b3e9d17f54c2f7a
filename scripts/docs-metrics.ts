/** The table of docs/metrics.md: every metric of every group. */

import { networkGroups } from "../src/enforcers/network/report/network-report.ts";
import { usbGroups } from "../src/enforcers/usb/report/usb-report.ts";
import type { MetricFacts } from "../src/report/metrics/group.ts";
import { groups, leftOutMetrics } from "../src/report/metrics/metrics.ts";

/** By name. */
export const everyMetric: readonly MetricFacts[] = [...groups, ...networkGroups, ...usbGroups, leftOutMetrics]
	.flat()
	.toSorted((a, b) => (a.name < b.name ? -1 : 1));

export function metricsTable(metrics: readonly MetricFacts[] = everyMetric): string {
	const rows = metrics.map(({ name, type, labels, help, since }) => {
		const named = labels.map((label) => `\`${label}\``).join(", ");
		return `| \`${name}\` | ${type} | ${named} | ${help} | ${since} |`;
	});
	return ["| name | type | labels | meaning | since |", "| --- | --- | --- | --- | --- |", ...rows].join(
		"\n",
	);
}
