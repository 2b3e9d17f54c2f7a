/**
 * JSON Schema (draft 2020-12) of what every policy has, made of the tables that the validators read by. A schema knows
 * less than a validator: it takes all that the validator takes, and what it refuses is wrong.
 */

import { actionNames } from "./action.ts";
import { apiVersion, longestName, nameForm, otherMetadataFields } from "./metadata.ts";
import { documentLimits } from "./nodes.ts";
import { selectorFields } from "./selector.ts";

/** A schema as plain data. Keys stand in the order in which `portward fmt` writes fields. */
export interface JsonSchema {
	readonly [keyword: string]: unknown;
}

export const dialect = "https://json-schema.org/draft/2020-12/schema";

/** Takes anything. */
export const anything: JsonSchema = {};

export const text: JsonSchema = { type: "string", maxLength: documentLimits.text };

/** A field without a value counts as absent wherever it may be left out. */
export function optional(schema: JsonSchema): JsonSchema {
	if (Object.keys(schema).length === 0) return schema;
	if (typeof schema.type === "string" && schema.enum === undefined && schema.const === undefined)
		return { ...schema, type: [schema.type, "null"] };
	return { anyOf: [schema, { type: "null" }] };
}

/**
 * A mapping with these fields and no others. Each has to have a schema, or this does not compile.
 * @param needed those that have to have a value.
 */
export function mapping<Field extends string>(
	fields: readonly Field[],
	schemas: Readonly<Record<Field, JsonSchema>>,
	needed: readonly Field[] = [],
): JsonSchema {
	const properties = fields.map((field) => [
		field,
		needed.includes(field) ? schemas[field] : optional(schemas[field]),
	]);
	return {
		type: "object",
		properties: Object.fromEntries(properties),
		...(needed.length === 0 ? {} : { required: needed }),
		additionalProperties: false,
	};
}

export function list(items: JsonSchema, least = 0): JsonSchema {
	return { type: "array", items, ...(least === 0 ? {} : { minItems: least }) };
}

export function oneOrMany(item: JsonSchema): JsonSchema {
	return { anyOf: [item, list(item, 1)] };
}

export function whole(minimum: number, maximum: number): JsonSchema {
	return { type: "integer", minimum, maximum };
}

export function matching(pattern: string): JsonSchema {
	return { type: "string", pattern };
}

/** Words that are understood in any case: the usual spelling for whoever completes, and a pattern for the rest. */
export function words(names: readonly string[]): JsonSchema {
	return { anyOf: [{ enum: names }, matching(`^(?:${names.map(anyCase).join("|")})$`)] };
}

function anyCase(name: string): string {
	return [...name]
		.map((letter) => {
			const [lower, upper] = [letter.toLowerCase(), letter.toUpperCase()];
			return lower === upper ? letter.replace(/[.*+?^${}()|[\]\\/]/u, "\\$&") : `[${upper}${lower}]`;
		})
		.join("");
}

/** What rules, entries and whole policies say of themselves. */
export const ruleDefaults = {
	action: words(actionNames),
	severity: whole(1, 10),
	tags: list(text),
	message: text,
} as const;

export const labels: JsonSchema = { type: "object", additionalProperties: text };

export const nodeSelector: JsonSchema = mapping(selectorFields, { matchLabels: labels });

/** The beginning of every document. */
export function head(kind: string, version = apiVersion, annotations = anything) {
	const others = Object.fromEntries(
		otherMetadataFields.map((field) => [field, field === "annotations" ? annotations : anything]),
	);
	return {
		apiVersion: { const: version },
		kind: { const: kind },
		metadata: mapping(
			["name", ...otherMetadataFields],
			{ name: { ...matching(nameForm.source), maxLength: longestName }, ...others },
			["name"],
		),
	} as const;
}

/** The fields of a document that have to have a value. */
export const neededFields = ["apiVersion", "kind", "metadata", "spec"] as const;
