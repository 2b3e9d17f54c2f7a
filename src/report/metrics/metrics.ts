/** The body of /metrics: the groups of the daemon, then those of each enforcer. Pure. */

import type { Config } from "../../config/model.ts";
import type { DaemonState } from "../status.ts";
import { type AlertFacts, alertMetrics } from "./alert-metrics.ts";
import { type BuildFacts, buildMetrics } from "./build-metrics.ts";
import { certificateMetrics } from "./certificate-metrics.ts";
import { type ChangeCounts, changeMetrics } from "./change-metrics.ts";
import { type Family, formatFamilies } from "./exposition.ts";
import { feedMetrics } from "./feed-metrics.ts";
import { byKey, familiesOf, type MetricGroup, mostSeries } from "./group.ts";
import { kubearmorApiMetrics } from "./kubearmor-api-metrics.ts";
import { type ProcessSample, processMetrics } from "./process-metrics.ts";
import { type ReloadFacts, reloadMetrics } from "./reload-metrics.ts";
import { settingsMetrics } from "./settings-metrics.ts";
import { signatureMetrics } from "./signature-metrics.ts";
import { sinkMetrics } from "./sink-metrics.ts";
import { stateMetrics } from "./state-metrics.ts";
import { testsMetrics } from "./tests-metrics.ts";

export interface MetricsInput {
	readonly state: DaemonState;
	readonly build: BuildFacts;
	readonly enforcement: Config["enforcement"];
	readonly alerts: AlertFacts;
	readonly reloads: ReloadFacts;
	/** How changes that had to be confirmed ended. */
	readonly changes: ChangeCounts;
	/** Null where /proc is not readable. */
	readonly process: ProcessSample | null;
}

/** The list: a group that is not in it is in no scrape. Those of an enforcer stand in its own. */
export const groups: readonly MetricGroup<MetricsInput>[] = [
	buildMetrics,
	stateMetrics,
	alertMetrics,
	sinkMetrics,
	kubearmorApiMetrics,
	reloadMetrics,
	changeMetrics,
	settingsMetrics,
	signatureMetrics,
	certificateMetrics,
	testsMetrics,
	feedMetrics,
	processMetrics,
];

export function renderMetrics(input: MetricsInput): string {
	const ofEnforcers = input.state.enforcers.flatMap((enforcer) => enforcer.families());
	return formatFamilies(bounded([...familiesOf(groups, input), ...ofEnforcers]));
}

/** What the bound costs, by name. */
export const leftOutMetrics: MetricGroup<Readonly<Record<string, number>>> = [
	{
		name: "portward_series_left_out",
		type: "gauge",
		help: "Series that are left out, by name: no name has more than 10000.",
		labels: ["name"],
		since: "0.2.0",
		samples: (leftOut) => byKey("name", leftOut),
	},
];

/** The families with no more series of a name than that, and how many were left out. */
function bounded(families: readonly Family[]): Family[] {
	const leftOut: Record<string, number> = {};
	const cut = families.map((each) => {
		if (each.type === "histogram" || each.samples.length <= mostSeries) return each;
		leftOut[each.name] = each.samples.length - mostSeries;
		return { ...each, samples: each.samples.slice(0, mostSeries) };
	});
	return [...cut, ...familiesOf([leftOutMetrics], leftOut)];
}
