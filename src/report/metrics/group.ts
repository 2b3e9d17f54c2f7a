/** Groups of metrics: what belongs together stands in one file, and is registered in one list. Pure. */

import type { Family, HistogramValue, Sample } from "./exposition.ts";

/** What is said of a metric, here and in docs/metrics.md. Its name stands nowhere else. */
export interface MetricFacts {
	readonly name: string;
	readonly type: "counter" | "gauge" | "histogram";
	readonly help: string;
	/** What samples have, all of them or those of one level; `le` of a histogram goes without saying. */
	readonly labels: readonly string[];
	/** The first version that has it as it is. */
	readonly since: string;
}

/** One metric, and how it is read off what its group is given. */
export type Metric<Input> = MetricFacts &
	(
		| { readonly type: "counter" | "gauge"; readonly samples: (input: Input) => readonly Sample[] }
		| { readonly type: "histogram"; readonly value: (input: Input) => HistogramValue }
	);

export type MetricGroup<Input> = readonly Metric<Input>[];

/** Series of one name, at most; what a scrape costs grows with them. */
export const mostSeries = 10_000;

/** The families of `groups`, in their order. */
export function familiesOf<Input>(groups: readonly MetricGroup<Input>[], input: Input): Family[] {
	return groups.flatMap((group) =>
		group.map((metric): Family => {
			const { name, help } = metric;
			return metric.type === "histogram"
				? { name, help, type: metric.type, value: metric.value(input) }
				: { name, help, type: metric.type, samples: metric.samples(input) };
		}),
	);
}

/** The only sample of a metric without labels. */
export function one(value: number): Sample[] {
	return [{ labels: {}, value }];
}

/** One sample for each key of `values`, under `label`. */
export function byKey(label: string, values: Readonly<Record<string, number>>): Sample[] {
	return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
}
