import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatFamilies, Histogram } from "../../../src/report/metrics/exposition.ts";

const gauge = { name: "g", help: "h", type: "gauge" } as const;

test("families and series are sorted, HELP and TYPE come first, empty families are left out", () => {
	const text = formatFamilies([
		{
			...gauge,
			name: "z",
			samples: [
				{ labels: { a: "2" }, value: 2 },
				{ labels: { a: "1" }, value: 1 },
			],
		},
		{ ...gauge, name: "a", help: "first\nline \\ end", samples: [{ labels: {}, value: 1.5 }] },
		{ ...gauge, name: "none", samples: [] },
	]);
	expect(text).toBe(
		'# HELP a first\\nline \\\\ end\n# TYPE a gauge\na 1.5\n# HELP z h\n# TYPE z gauge\nz{a="1"} 1\nz{a="2"} 2\n',
	);
	expect(formatFamilies([])).toBe("");
});

test("a series that is given twice is added up", () => {
	const sample = { labels: { a: "x" }, value: 2 };
	expect(formatFamilies([{ ...gauge, samples: [sample, sample] }])).toContain('g{a="x"} 4\n');
});

test("infinities and NaN are written as Prometheus reads them", () => {
	const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
	const text = formatFamilies([
		{ ...gauge, samples: values.map((value, index) => ({ labels: { i: String(index) }, value })) },
	]);
	expect(text).toContain('g{i="0"} +Inf\ng{i="1"} -Inf\ng{i="2"} NaN\n');
});

test("any label value stays within its quotes and can be read back", () => {
	fc.assert(
		fc.property(fc.string({ unit: "binary" }), (value) => {
			const text = formatFamilies([{ ...gauge, samples: [{ labels: { a: value }, value: 1 }] }]);
			const lines = text.split("\n");
			expect(lines).toHaveLength(4);
			const quoted = /^g\{a="((?:[^"\\]|\\["\\n])*)"\} 1$/s.exec(lines[2] ?? "")?.[1];
			const back = quoted?.replace(/\\(.)/g, (_, character) => (character === "n" ? "\n" : character));
			expect(back).toBe(value.toWellFormed());
		}),
	);
});

test("a histogram is cumulative, its bounds inclusive", () => {
	const histogram = new Histogram([0.1, 1]);
	for (const value of [0.05, 0.1, 0.5, 1, 7]) histogram.observe(value);
	const text = formatFamilies([{ name: "t", help: "h", type: "histogram", value: histogram.value() }]);
	expect(text).toBe(
		'# HELP t h\n# TYPE t histogram\nt_bucket{le="0.1"} 2\nt_bucket{le="1"} 4\nt_bucket{le="+Inf"} 5\nt_sum 8.65\nt_count 5\n',
	);
});
