/** Holds values against the schemas of docs/schema. Knows what they use, and refuses every other keyword. */

import { readSchema, type Schema } from "../../scripts/schema.ts";

/** Keywords that say nothing about a value. */
const annotations = ["$schema", "$id", "$defs", "title", "description"];

type Check = (value: unknown, argument: never, at: string, context: Context) => string[];

interface Context {
	readonly root: Schema;
	readonly schema: Schema;
}

const typeName = (value: unknown): string => {
	if (value === null) return "null";
	if (Array.isArray(value)) return "array";
	return Number.isInteger(value) ? "integer" : typeof value;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeName(value) === "object";

/** Each keyword tells what is wrong with a value, as lines. */
const keywords: Readonly<Record<string, Check>> = {
	type: (value, argument: string | readonly string[], at) => {
		const allowed = typeof argument === "string" ? [argument] : argument;
		const name = typeName(value);
		const fits = allowed.includes(name) || (name === "integer" && allowed.includes("number"));
		return fits ? [] : [`${at}: ${name}, not ${allowed.join(" or ")}`];
	},
	enum: (value, allowed: readonly unknown[], at) =>
		allowed.includes(value) ? [] : [`${at}: ${JSON.stringify(value)} is none of ${JSON.stringify(allowed)}`],
	pattern: (value, pattern: string, at) =>
		typeof value !== "string" || new RegExp(pattern, "u").test(value)
			? []
			: [`${at}: ${value} is not as ${pattern}`],
	format: (value, format: string, at) => {
		if (format !== "date-time") return [`${at}: unknown format ${format}`];
		return typeof value !== "string" || !Number.isNaN(Date.parse(value))
			? []
			: [`${at}: ${value} is no time`];
	},
	minimum: (value, least: number, at) =>
		typeof value !== "number" || value >= least ? [] : [`${at}: ${value} is below ${least}`],
	minItems: (value, least: number, at) =>
		!Array.isArray(value) || value.length >= least ? [] : [`${at}: fewer than ${least}`],
	maxItems: (value, most: number, at) =>
		!Array.isArray(value) || value.length <= most ? [] : [`${at}: more than ${most}`],
	items: (value, schema: Schema, at, { root }) =>
		Array.isArray(value) ? value.flatMap((item, index) => check(item, schema, `${at}[${index}]`, root)) : [],
	required: (value, names: readonly string[], at) =>
		isObject(value)
			? names.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}: no ${name}`)
			: [],
	properties: (value, properties: Readonly<Record<string, Schema>>, at, { root }) =>
		isObject(value)
			? Object.entries(properties).flatMap(([name, schema]) =>
					Object.hasOwn(value, name) ? check(value[name], schema, `${at}.${name}`, root) : [],
				)
			: [],
	additionalProperties: (value, rest: Schema | false, at, { root, schema }) => {
		if (!isObject(value)) return [];
		const more = Object.keys(value).filter((name) => !Object.hasOwn(schema.properties ?? {}, name));
		return more.flatMap((name) =>
			rest === false ? [`${at}: ${name} is not documented`] : check(value[name], rest, `${at}.${name}`, root),
		);
	},
	anyOf: (value, choices: readonly Schema[], at, { root }) => {
		const found = choices.map((choice) => check(value, choice, at, root));
		return found.some((problems) => problems.length === 0) ? [] : found.flat();
	},
	$ref: (value, target: string, at, { root }) => {
		if (!target.startsWith("#/$defs/")) return violations(value, target.replace(/\.json$/, ""), at);
		const named = root.$defs?.[target.slice("#/$defs/".length)];
		return named === undefined ? [`${at}: no ${target}`] : check(value, named, at, root);
	},
};

function check(value: unknown, schema: Schema, at: string, root: Schema): string[] {
	return Object.entries(schema).flatMap(([keyword, argument]) => {
		if (annotations.includes(keyword)) return [];
		const known = keywords[keyword];
		return known === undefined
			? [`${at}: unknown keyword ${keyword}`]
			: known(value, argument as never, at, { root, schema });
	});
}

/** What is wrong with a value, by the schema file of this name; nothing where it is as documented. */
export function violations(value: unknown, name: string, at = "$"): string[] {
	const root = readSchema(name);
	return check(value, root, at, root);
}
