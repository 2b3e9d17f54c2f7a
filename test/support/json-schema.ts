/** As much of JSON Schema (draft 2020-12) as the product's schemas use; an unknown keyword is an error. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

interface Schema {
	readonly [keyword: string]: unknown;
}

/** Where a value stands in the whole, and the schemas around it. */
interface Place {
	readonly at: string;
	readonly schema: Schema;
	readonly root: Schema;
}

/** Those that refuse nothing. */
const annotations = new Set(["$schema", "$id", "$defs", "title", "description", "default"]);

const folder = join(import.meta.dir, "../../docs/schema");

function typeOf(value: unknown): string {
	if (value === null) return "null";
	if (Array.isArray(value)) return "array";
	return Number.isInteger(value) ? "integer" : typeof value;
}

/** What is wrong with a value; nothing where it is as the keyword says. */
type Check = (value: unknown, argument: never, place: Place) => string[];

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> => typeOf(value) === "object";
const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => typeof value === "number";
const unless = (fits: boolean, { at }: Place, problem: string) => (fits ? [] : [`${at}: ${problem}`]);

const scalars: Readonly<Record<string, Check>> = {
	type: (value, wanted: string | readonly string[], place) => {
		const type = typeOf(value);
		const fits = [wanted].flat().some((one) => one === type || (one === "number" && type === "integer"));
		return unless(fits, place, `${type}, not ${[wanted].flat().join(" or ")}`);
	},
	const: (value, wanted: unknown, place) => unless(value === wanted, place, `not ${JSON.stringify(wanted)}`),
	enum: (value, wanted: readonly unknown[], place) =>
		unless(wanted.includes(value), place, `${JSON.stringify(value)} is none of ${JSON.stringify(wanted)}`),
	minimum: (value, least: number, place) =>
		unless(!isNumber(value) || value >= least, place, `${value} is below ${least}`),
	maximum: (value, most: number, place) =>
		unless(!isNumber(value) || value <= most, place, `${value} is above ${most}`),
	minLength: (value, least: number, place) =>
		unless(!isText(value) || [...value].length >= least, place, `shorter than ${least}`),
	maxLength: (value, most: number, place) =>
		unless(!isText(value) || [...value].length <= most, place, `longer than ${most}`),
	pattern: (value, pattern: string, place) =>
		unless(!isText(value) || new RegExp(pattern, "u").test(value), place, `${value} is not as ${pattern}`),
	format: (value, format: string, place) => {
		if (format !== "date-time") throw new Error(`the format ${format} is unknown here`);
		return unless(!isText(value) || !Number.isNaN(Date.parse(value)), place, `${value} is no time`);
	},
};

const collections: Readonly<Record<string, Check>> = {
	minItems: (value, least: number, place) =>
		unless(!Array.isArray(value) || value.length >= least, place, `fewer than ${least}`),
	maxItems: (value, most: number, place) =>
		unless(!Array.isArray(value) || value.length <= most, place, `more than ${most}`),
	items: (value, schema: Schema, { at, root }) =>
		Array.isArray(value)
			? value.flatMap((item, index) => problems(item, { at: `${at}[${index}]`, schema, root }))
			: [],
	required: (value, names: readonly string[], place) =>
		isMapping(value) ? names.flatMap((name) => unless(Object.hasOwn(value, name), place, `no ${name}`)) : [],
	properties: (value, schemas: Readonly<Record<string, Schema>>, { at, root }) =>
		isMapping(value)
			? Object.entries(schemas).flatMap(([name, schema]) =>
					Object.hasOwn(value, name) ? problems(value[name], { at: `${at}.${name}`, schema, root }) : [],
				)
			: [],
	additionalProperties: (value, rest: Schema | false, { at, schema: { properties = {} }, root }) => {
		if (!isMapping(value)) return [];
		const others = Object.entries(value).filter(([name]) => !Object.hasOwn(properties as object, name));
		return others.flatMap(([name, one]) =>
			rest === false
				? [`${at}: ${name} is not documented`]
				: problems(one, { at: `${at}.${name}`, schema: rest, root }),
		);
	},
	anyOf: (value, schemas: readonly Schema[], { at, root }) => {
		const found = schemas.map((schema) => problems(value, { at, schema, root }));
		return found.some((one) => one.length === 0) ? [] : found.flat();
	},
	$ref: (value, target: string, { at, root }) => {
		if (target.endsWith(".json")) return violations(value, target.replace(/\.json$/, ""), at);
		const name = target.replace("#/$defs/", "");
		const schema = (root.$defs as Readonly<Record<string, Schema>> | undefined)?.[name];
		if (schema === undefined) throw new Error(`there is no ${target}`);
		return problems(value, { at, schema, root });
	},
};

const checks = new Map([...Object.entries(scalars), ...Object.entries(collections)]);

function problems(value: unknown, place: Place): string[] {
	return Object.entries(place.schema).flatMap(([keyword, argument]) => {
		if (annotations.has(keyword)) return [];
		const check = checks.get(keyword);
		if (check === undefined) throw new Error(`the keyword ${keyword} is unknown here`);
		return check(value, argument as never, place);
	});
}

/** Whether the schema takes a value. */
export function takes(value: unknown, schema: Schema): boolean {
	return problems(value, { at: "$", schema, root: schema }).length === 0;
}

/** What is wrong with a value by the file of this name in docs/schema; nothing where it is as documented. */
export function violations(value: unknown, name: string, at = "$"): string[] {
	const root: Schema = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
	return problems(value, { at, schema: root, root });
}

/** What is wrong with a value by a schema that stands alone. */
export function schemaProblems(value: unknown, schema: Schema): string[] {
	return problems(value, { at: "$", schema, root: schema });
}
