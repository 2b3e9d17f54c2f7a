/** As much of JSON Schema (draft 2020-12) as the product's schemas use; an unknown keyword is an error. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

interface Schema {
	readonly [keyword: string]: unknown;
}

/** Those that refuse nothing. */
const annotations = new Set(["$schema", "$defs", "title", "description", "default"]);

function typeOf(value: unknown): string {
	if (value === null) return "null";
	if (Array.isArray(value)) return "array";
	return Number.isInteger(value) ? "integer" : typeof value;
}

function hasType(value: unknown, wanted: unknown): boolean {
	const type = typeOf(value);
	return [wanted].flat().some((one) => one === type || (one === "number" && type === "integer"));
}

type Check = (value: unknown, argument: never, schema: Schema, root: Schema) => boolean;

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> => typeOf(value) === "object";
const all = (values: readonly unknown[], schema: Schema, root: Schema) =>
	values.every((value) => takes(value, schema, root));

const checks: Readonly<Record<string, Check>> = {
	type: (value, wanted: unknown) => hasType(value, wanted),
	const: (value, wanted: unknown) => value === wanted,
	enum: (value, wanted: readonly unknown[]) => wanted.includes(value),
	minimum: (value, least: number) => typeof value !== "number" || value >= least,
	maximum: (value, most: number) => typeof value !== "number" || value <= most,
	minLength: (value, least: number) => typeof value !== "string" || [...value].length >= least,
	maxLength: (value, most: number) => typeof value !== "string" || [...value].length <= most,
	pattern: (value, pattern: string) => typeof value !== "string" || new RegExp(pattern, "u").test(value),
	minItems: (value, least: number) => !Array.isArray(value) || value.length >= least,
	maxItems: (value, most: number) => !Array.isArray(value) || value.length <= most,
	items: (value, schema: Schema, _own, root) => !Array.isArray(value) || all(value, schema, root),
	required: (value, names: readonly string[]) =>
		!isMapping(value) || names.every((name) => Object.hasOwn(value, name)),
	properties: (value, schemas: Readonly<Record<string, Schema>>, _own, root) =>
		!isMapping(value) ||
		Object.entries(schemas).every(
			([name, schema]) => !Object.hasOwn(value, name) || takes(value[name], schema, root),
		),
	additionalProperties: (value, rest: Schema | false, { properties = {} }, root) => {
		if (!isMapping(value)) return true;
		const others = Object.entries(value).filter(([name]) => !Object.hasOwn(properties as object, name));
		return rest === false
			? others.length === 0
			: all(
					others.map(([, one]) => one),
					rest,
					root,
				);
	},
	anyOf: (value, schemas: readonly Schema[], _own, root) =>
		schemas.some((schema) => takes(value, schema, root)),
	$ref: (value, target: string, _own, root) => {
		const name = target.replace("#/$defs/", "");
		const found = (root.$defs as Readonly<Record<string, Schema>>)[name];
		if (found === undefined) throw new Error(`there is no ${target}`);
		return takes(value, found, root);
	},
};

/** Whether the schema takes a value. */
export function takes(value: unknown, schema: Schema, root = schema): boolean {
	return Object.entries(schema).every(([keyword, argument]) => {
		if (annotations.has(keyword)) return true;
		const check = Object.hasOwn(checks, keyword) ? checks[keyword] : undefined;
		if (check === undefined) throw new Error(`the keyword ${keyword} is unknown here`);
		return check(value, argument as never, schema, root);
	});
}
