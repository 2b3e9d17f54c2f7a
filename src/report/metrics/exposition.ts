/** Prometheus text exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). Pure. */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
	readonly labels: Labels;
	readonly value: number;
}

/** One histogram without labels. `buckets` are cumulative, upper bounds ascending, without +Inf. */
export interface HistogramValue {
	readonly buckets: readonly { readonly le: number; readonly count: number }[];
	readonly sum: number;
	readonly count: number;
}

export type Family =
	| {
			readonly name: string;
			readonly help: string;
			readonly type: "counter" | "gauge";
			readonly samples: readonly Sample[];
	  }
	| {
			readonly name: string;
			readonly help: string;
			readonly type: "histogram";
			readonly value: HistogramValue;
	  };

/** The Content-Type of what {@link formatFamilies} returns. */
export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

function escapeHelp(text: string): string {
	return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
	// Lone surrogates have no UTF-8 form, which the format demands.
	return escapeHelp(text.toWellFormed()).replaceAll('"', '\\"');
}

function formatValue(value: number): string {
	if (value === Number.POSITIVE_INFINITY) return "+Inf";
	if (value === Number.NEGATIVE_INFINITY) return "-Inf";
	return String(value);
}

function formatLabels(labels: Labels): string {
	const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
	return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Samples with equal labels are added up: a series may appear only once. */
function sampleLines(name: string, samples: readonly Sample[]): string[] {
	const series = new Map<string, number>();
	for (const sample of samples) {
		const key = name + formatLabels(sample.labels);
		series.set(key, (series.get(key) ?? 0) + sample.value);
	}
	const sorted = [...series].sort(([a], [b]) => (a < b ? -1 : 1));
	return sorted.map(([key, value]) => `${key} ${formatValue(value)}`);
}

function histogramLines(name: string, value: HistogramValue): string[] {
	return [
		...value.buckets.map(({ le, count }) => `${name}_bucket{le="${formatValue(le)}"} ${formatValue(count)}`),
		`${name}_bucket{le="+Inf"} ${formatValue(value.count)}`,
		`${name}_sum ${formatValue(value.sum)}`,
		`${name}_count ${formatValue(value.count)}`,
	];
}

/**
 * The text of `families`, sorted by name and then by labels, so that equal states
 * give equal text. Label names keep their order. A family without samples is left out.
 */
export function formatFamilies(families: readonly Family[]): string {
	const lines: string[] = [];
	for (const family of families.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
		const body =
			family.type === "histogram"
				? histogramLines(family.name, family.value)
				: sampleLines(family.name, family.samples);
		if (body.length === 0) continue;
		lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}`, `# TYPE ${family.name} ${family.type}`);
		lines.push(...body);
	}
	return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** Counts observations into fixed buckets. */
export class Histogram {
	readonly #bounds: readonly number[];
	readonly #counts: number[];
	#sum = 0;
	#count = 0;

	/** `bounds`: inclusive upper bounds, ascending, without +Inf. */
	constructor(bounds: readonly number[]) {
		this.#bounds = bounds;
		this.#counts = bounds.map(() => 0);
	}

	observe(value: number): void {
		this.#sum += value;
		this.#count++;
		const index = this.#bounds.findIndex((bound) => value <= bound);
		if (index >= 0) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
	}

	value(): HistogramValue {
		let below = 0;
		const buckets = this.#bounds.map((le, index) => {
			below += this.#counts[index] ?? 0;
			return { le, count: below };
		});
		return { buckets, sum: this.#sum, count: this.#count };
	}
}
