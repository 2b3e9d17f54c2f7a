/** The queries of packaging/monitoring, where each stands, and which metrics and labels they name. */

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { dashboards } from "../../../scripts/monitoring/dashboards.ts";

const folder = resolve(import.meta.dir, "../../../packaging/monitoring");

export interface PromRule {
	readonly alert?: string;
	readonly record?: string;
	readonly expr: string;
	readonly for?: string;
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
}

export function rulesOf(file: "alerts.yaml" | "recording.yaml"): readonly PromRule[] {
	const { groups }: { groups: readonly { readonly rules: readonly PromRule[] }[] } = parse(
		readFileSync(join(folder, file), "utf8"),
	);
	return groups.flatMap(({ rules }) => rules);
}

export interface PlacedQuery {
	readonly place: string;
	readonly expr: string;
}

/** What panels ask, with the variables of the dashboards in it. */
export const panelQueries: readonly PlacedQuery[] = Object.entries(dashboards).flatMap(([name, { panels }]) =>
	panels.flatMap(({ title, targets = [] }) =>
		targets.map(({ refId, expr }) => ({ place: `${name}: ${title} ${refId}`, expr })),
	),
);

/** What variables ask: the series whose label is listed. */
export const variableQueries: readonly PlacedQuery[] = Object.entries(dashboards).flatMap(
	([name, { templating }]) =>
		templating.list.flatMap((variable) => {
			if (variable.type !== "query") return [];
			const expr = /^label_values\((.+), \w+\)$/.exec(variable.query.query)?.[1] ?? "";
			return [{ place: `${name}: $${variable.name}`, expr }];
		}),
);

export const ruleQueries: readonly PlacedQuery[] = (["alerts.yaml", "recording.yaml"] as const).flatMap(
	(file) => rulesOf(file).map(({ alert, record, expr }) => ({ place: `${file}: ${alert ?? record}`, expr })),
);

/** Each metric that an expression selects, with the labels of its matchers. */
export function selectors(expr: string): { readonly metric: string; readonly labels: readonly string[] }[] {
	const bare = expr.replace(/"(?:[^"\\]|\\.)*"/g, '""');
	return [...bare.matchAll(/\b(up|(?:portward|process|kubearmor)_\w+)\b(?:\{([^}]*)\})?/g)].map(
		([, metric = "", matchers = ""]) => ({
			metric,
			labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label),
		}),
	);
}

/** The labels by which an expression groups, joins or replaces. */
export function groupings(expr: string): string[] {
	return [...expr.matchAll(/\b(?:by|on)\s*\(([^)]*)\)/g)].flatMap(([, list = ""]) =>
		list.split(",").map((label) => label.trim()),
	);
}
