/** Figures of merit, and how they are printed. */

export interface Figure {
	readonly what: string;
	/** The measured value or ratio, with its unit. */
	readonly value: string;
	/** What it should be, "" where nothing was promised. */
	readonly target: string;
	readonly met: boolean | null;
}

/** At least this many rounds, so that one disturbance does not decide. */
export const rounds = 5;

export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle] ?? Number.NaN;
	return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/**
 * Measures every contender once a round, in an order that changes, so that
 * whatever else the machine does falls on all of them alike. Medians by name.
 */
export async function interleave(
	contenders: Readonly<Record<string, () => Promise<number>>>,
	times = rounds,
): Promise<Record<string, number>> {
	const names = Object.keys(contenders);
	const samples: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
	for (let round = 0; round < times; round++) {
		for (let step = 0; step < names.length; step++) {
			const name = names[(step + round) % names.length] ?? "";
			const measure = contenders[name];
			if (measure !== undefined) samples[name]?.push(await measure());
		}
	}
	return Object.fromEntries(names.map((name) => [name, median(samples[name] ?? [])]));
}

/** A ratio that should be at most `limit`. */
export function atMost(what: string, value: number, limit: number): Figure {
	return { what, value: `${value.toFixed(2)}×`, target: `≤ ${limit}×`, met: value <= limit };
}

/** A ratio that should be at least `limit`. */
export function atLeast(what: string, value: number, limit: number): Figure {
	return { what, value: `${value.toFixed(1)}×`, target: `≥ ${limit}×`, met: value >= limit };
}

/** A quantity in `unit` that should be at most `limit`; null promises nothing. */
export function quantity(what: string, value: number, unit: string, limit: number | null): Figure {
	return {
		what,
		value: `${value < 10 ? value.toFixed(2) : Math.round(value)} ${unit}`,
		target: limit === null ? "" : `≤ ${limit} ${unit}`,
		met: limit === null ? null : value <= limit,
	};
}

export function print(title: string, figures: readonly Figure[]): void {
	console.log(`\n${title}`);
	const width = Math.max(...figures.map((figure) => figure.what.length));
	for (const { what, value, target, met } of figures) {
		const verdict = met === null ? "" : met ? "met" : "MISSED";
		console.log(`  ${what.padEnd(width)}  ${value.padStart(12)}  ${target.padStart(12)}  ${verdict}`);
	}
}
