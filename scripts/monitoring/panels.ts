/** What a Grafana dashboard is made of: panels of a few kinds, in rows, with the queries that they show. Pure. */

/** Grafana's dashboard model (schemaVersion 39, Grafana 10.4 and later): the parts that are used here. */
export interface Dashboard {
	readonly uid: string;
	readonly title: string;
	readonly description: string;
	readonly tags: readonly string[];
	readonly schemaVersion: 39;
	readonly version: 1;
	readonly editable: true;
	readonly refresh: string;
	readonly time: { readonly from: string; readonly to: string };
	readonly timezone: "browser";
	readonly templating: { readonly list: readonly Variable[] };
	readonly annotations: { readonly list: readonly [] };
	readonly links: readonly Link[];
	readonly panels: readonly PlacedPanel[];
}

interface Link {
	readonly title: string;
	readonly type: "dashboards";
	readonly tags: readonly string[];
	readonly asDropdown: false;
	readonly icon: string;
	readonly includeVars: true;
	readonly keepTime: true;
	readonly targetBlank: false;
	readonly tooltip: string;
	readonly url: string;
}

export type Variable =
	| {
			readonly name: "datasource";
			readonly label: string;
			readonly type: "datasource";
			readonly query: "prometheus";
			readonly hide: 0;
			readonly multi: false;
			readonly includeAll: false;
			readonly refresh: 1;
			readonly options: readonly [];
			readonly regex: "";
	  }
	| {
			readonly name: string;
			readonly label: string;
			readonly type: "query";
			readonly datasource: DataSource;
			readonly query: { readonly query: string; readonly refId: string };
			readonly hide: 0;
			readonly multi: boolean;
			readonly includeAll: boolean;
			readonly refresh: 2;
			readonly sort: 1;
			readonly options: readonly [];
			readonly regex: "";
	  };

interface DataSource {
	readonly type: "prometheus";
	readonly uid: "$datasource";
}

interface Target {
	readonly refId: string;
	readonly expr: string;
	readonly legendFormat: string;
	readonly datasource: DataSource;
	readonly editorMode: "code";
	readonly range: boolean;
	readonly instant: boolean;
	readonly format: "time_series" | "table";
}

export type Kind = "stat" | "timeseries" | "table" | "bargauge" | "row";

export interface PlacedPanel {
	readonly id: number;
	readonly type: Kind;
	readonly title: string;
	readonly description?: string;
	readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
	readonly datasource?: DataSource;
	readonly targets?: readonly Target[];
	readonly fieldConfig?: { readonly defaults: object; readonly overrides: readonly object[] };
	readonly options?: object;
	readonly transformations?: readonly object[];
	readonly collapsed?: false;
	readonly panels?: readonly [];
}

export const source: DataSource = { type: "prometheus", uid: "$datasource" };

/** A query, and how its series are called: `{{label}}` stands for a label. */
export type Query = readonly [expr: string, legend: string];

export interface Panel {
	readonly kind: Exclude<Kind, "row">;
	readonly title: string;
	/** What the reader learns, and what to do where it is not as it should be. */
	readonly description: string;
	readonly queries: readonly Query[];
	/** A unit of Grafana's, such as `pps`, `Bps`, `bytes`, `s`, `percentunit`; `short` for a number. */
	readonly unit: string;
	/** From which value on it is yellow, and from which red. */
	readonly thresholds?: { readonly yellow?: number; readonly red?: number };
	/** Of 24 columns. */
	readonly width: number;
}

/** A heading, and the panels below it. */
export interface Section {
	readonly title: string;
	readonly panels: readonly Panel[];
}

const heights: Readonly<Record<Panel["kind"], number>> = { stat: 4, bargauge: 8, timeseries: 8, table: 8 };

function steps({ yellow, red }: NonNullable<Panel["thresholds"]>): object[] {
	return [
		{ color: "green", value: null },
		...(yellow === undefined ? [] : [{ color: "yellow", value: yellow }]),
		...(red === undefined ? [] : [{ color: "red", value: red }]),
	];
}

const options: Readonly<Record<Panel["kind"], object>> = {
	stat: {
		colorMode: "value",
		graphMode: "none",
		justifyMode: "auto",
		orientation: "auto",
		textMode: "auto",
		reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
	},
	bargauge: {
		displayMode: "gradient",
		orientation: "horizontal",
		reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
		showUnfilled: true,
	},
	timeseries: {
		legend: { calcs: ["lastNotNull", "max"], displayMode: "table", placement: "bottom", showLegend: true },
		tooltip: { mode: "multi", sort: "desc" },
	},
	table: { cellHeight: "sm", showHeader: true },
};

function place(panel: Panel, id: number, x: number, y: number): PlacedPanel {
	const { kind, title, description, queries, unit, thresholds, width } = panel;
	const instant = kind !== "timeseries";
	const custom = kind === "timeseries" ? { custom: { fillOpacity: 10, showPoints: "never" } } : {};
	const colour = thresholds === undefined ? {} : { color: { mode: "thresholds" } };
	return {
		id,
		type: kind,
		title,
		description,
		gridPos: { x, y, w: width, h: heights[kind] },
		datasource: source,
		targets: queries.map(([expr, legendFormat], index) => ({
			refId: String.fromCharCode("A".charCodeAt(0) + index),
			expr,
			legendFormat,
			datasource: source,
			editorMode: "code",
			range: !instant,
			instant,
			format: kind === "table" ? "table" : "time_series",
		})),
		fieldConfig: {
			defaults: {
				unit,
				...custom,
				...(kind === "timeseries" ? {} : colour),
				thresholds: { mode: "absolute", steps: steps(thresholds ?? {}) },
			},
			overrides: [],
		},
		options: options[kind],
		...(kind === "table"
			? { transformations: [{ id: "organize", options: { excludeByName: { Time: true } } }] }
			: {}),
	};
}

/** Places sections one below the other, and their panels from left to right; a row is as high as its highest panel. */
export function layout(sections: readonly Section[]): PlacedPanel[] {
	const placed: PlacedPanel[] = [];
	let y = 0;
	for (const { title, panels } of sections) {
		placed.push({
			id: placed.length + 1,
			type: "row",
			title,
			collapsed: false,
			panels: [],
			gridPos: { x: 0, y, w: 24, h: 1 },
		});
		y += 1;
		let x = 0;
		let height = 0;
		for (const panel of panels) {
			if (x + panel.width > 24) {
				y += height;
				x = 0;
				height = 0;
			}
			placed.push(place(panel, placed.length + 1, x, y));
			x += panel.width;
			height = Math.max(height, heights[panel.kind]);
		}
		y += height;
	}
	return placed;
}

const none = { hide: 0, options: [], regex: "" } as const;

export const datasourceVariable: Variable = {
	name: "datasource",
	label: "Prometheus",
	type: "datasource",
	query: "prometheus",
	multi: false,
	includeAll: false,
	refresh: 1,
	...none,
};

/** A variable with the values of a label. @param many several values, or all */
export function labelVariable(name: string, label: string, of: string, many: boolean): Variable {
	const query = `label_values(${of}, ${name})`;
	return {
		name,
		label,
		type: "query",
		datasource: source,
		query: { query, refId: name },
		multi: many,
		includeAll: many,
		refresh: 2,
		sort: 1,
		...none,
	};
}

export function dashboard(
	name: string,
	title: string,
	description: string,
	variables: readonly Variable[],
	sections: readonly Section[],
): Dashboard {
	return {
		uid: `portward-${name}`,
		title: `Portward / ${title}`,
		description,
		tags: ["portward"],
		schemaVersion: 39,
		version: 1,
		editable: true,
		refresh: "1m",
		time: { from: "now-6h", to: "now" },
		timezone: "browser",
		templating: { list: [datasourceVariable, ...variables] },
		annotations: { list: [] },
		links: [
			{
				title: "Portward",
				type: "dashboards",
				tags: ["portward"],
				asDropdown: false,
				icon: "external link",
				includeVars: true,
				keepTime: true,
				targetBlank: false,
				tooltip: "",
				url: "",
			},
		],
		panels: layout(sections),
	};
}
