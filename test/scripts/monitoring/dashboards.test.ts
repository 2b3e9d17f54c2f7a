/** The dashboards: the files are what the sources say, they are of Grafana's model, and ask for what the daemon exports. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { everyMetric } from "../../../scripts/docs-metrics.ts";
import { dashboards, dashboardText } from "../../../scripts/monitoring/dashboards.ts";
import { layout } from "../../../scripts/monitoring/panels.ts";
import { groupings, panelQueries, ruleQueries, rulesOf, selectors, variableQueries } from "./queries.ts";

const folder = resolve(import.meta.dir, "../../../packaging/monitoring/dashboards");

test("the files are what npm run docs makes", () => {
	expect(readdirSync(folder).sort()).toEqual(Object.keys(dashboards).map((name) => `${name}.json`));
	for (const [name, one] of Object.entries(dashboards))
		expect(readFileSync(join(folder, `${name}.json`), "utf8")).toBe(dashboardText(one));
});

describe.each(Object.entries(dashboards))("%s", (_, { uid, title, panels, templating }) => {
	test("has a name that Grafana takes", () => {
		expect(uid).toMatch(/^[a-z-]{1,40}$/);
		expect(title).toStartWith("Portward / ");
	});

	test("has panels with numbers of their own, side by side", () => {
		expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
		const taken = new Set<string>();
		for (const { title, gridPos } of panels) {
			expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
			for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
				for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
					expect([title, taken.has(`${x} ${y}`)]).toEqual([title, false]);
					taken.add(`${x} ${y}`);
				}
		}
	});

	test("tells of each panel what it is for", () => {
		const silent = panels.filter(
			({ type, description = "" }) => type !== "row" && !description.endsWith("."),
		);
		expect(silent.map(({ title }) => title)).toEqual([]);
		expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
	});

	test("uses the variables that it has", () => {
		const known = new Set<string>([...templating.list.map(({ name }) => name), "__rate_interval"]);
		const asked = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join("\n");
		// $1 is a group of label_replace.
		const used = new Set([...asked.matchAll(/\$([a-z_]\w*)/gi)].map(([, name = ""]) => name));
		expect([...used].filter((name) => !known.has(name))).toEqual([]);
		expect(templating.list.filter(({ name }) => name !== "datasource" && !used.has(name))).toEqual([]);
	});
});

test("a panel that is too wide for its row begins the next", () => {
	const panel = {
		kind: "stat",
		title: "t",
		description: "d.",
		queries: [],
		unit: "short",
		width: 10,
	} as const;
	const placed = layout([{ title: "s", panels: [panel, panel, panel] }]);
	expect(placed.map(({ gridPos: { x, y } }) => [x, y])).toEqual([
		[0, 0],
		[0, 1],
		[10, 1],
		[0, 5],
	]);
});

describe("what is asked for", () => {
	const recorded = rulesOf("recording.yaml").map(({ record = "" }) => [record, null] as const);
	/** By name of series; null for labels that stand nowhere. */
	const known = new Map<string, readonly string[] | null>([
		["up", []],
		...everyMetric.flatMap(({ name, type, labels }) =>
			type === "histogram"
				? ["_bucket", "_sum", "_count"].map((end) => [`${name}${end}`, [...labels, "le"]] as const)
				: [[name, labels] as const],
		),
		...recorded,
	]);
	const ofScrapes = ["job", "instance"];

	test.each([...panelQueries, ...variableQueries, ...ruleQueries])("$place", ({ expr }) => {
		const asked = selectors(expr);
		expect(asked.length).toBeGreaterThan(0);
		const labels = new Set(ofScrapes);
		for (const { metric, labels: matched } of asked) {
			expect([metric, known.has(metric)]).toEqual([metric, true]);
			const own = known.get(metric);
			for (const label of own ?? []) labels.add(label);
			for (const label of matched) if (own !== null) expect([...ofScrapes, ...(own ?? [])]).toContain(label);
		}
		const replaced = [...expr.matchAll(/, "(\w+)", "[^"]*", "\w*", "[^"]*"\)/g)].map(
			([, label = ""]) => label,
		);
		expect(groupings(expr).filter((label) => !labels.has(label) && !replaced.includes(label))).toEqual([]);
	});

	test("a metric that nobody exports is found, and a label that it has not", () => {
		expect(selectors('sum by (a) (rate(portward_x_total{b="portward_y",c=~"d"}[5m])) > up')).toEqual([
			{ metric: "portward_x_total", labels: ["b", "c"] },
			{ metric: "up", labels: [] },
		]);
		expect(groupings("sum by (a, b) (x) and on (c) y")).toEqual(["a", "b", "c"]);
	});
});
