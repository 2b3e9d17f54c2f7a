/** JSON Schema of the settings, read off the schema by which they are checked. */

import { dialect, type JsonSchema, optional } from "../document/json-schema.ts";
import { settings } from "./reference.ts";
import { configSchema } from "./schema.ts";

/** As much of valibot's schemas and actions as is walked here. */
interface Step {
	readonly kind: string;
	readonly type: string;
	readonly pipe?: readonly Step[];
	readonly wrapped?: Step;
	readonly entries?: Readonly<Record<string, Step>>;
	readonly item?: Step;
	readonly value?: Step;
	readonly options?: readonly unknown[];
	readonly requirement?: unknown;
}

/** What steps after the first say of values as they are written; after a transformation they speak of others. */
function restrictions(steps: readonly Step[]): JsonSchema {
	const found: Record<string, unknown> = {};
	for (const { kind, type, requirement } of steps) {
		if (kind === "transformation") break;
		if (type === "integer") found.type = "integer";
		else if (type === "min_value") found.minimum = requirement;
		else if (type === "max_value") found.maximum = requirement;
		else if (type === "max_length") found.max = requirement;
		else if (type === "regex" && requirement instanceof RegExp) found.pattern = requirement.source;
	}
	return found;
}

function ofPipe([first, ...rest]: readonly Step[], path: string): JsonSchema {
	if (first === undefined) return {};
	const { max, ...more } = restrictions(rest);
	const schema = schemaOf(first, path);
	if (max === undefined) return { ...schema, ...more };
	return { ...schema, ...more, [schema.type === "array" ? "maxItems" : "maxLength"]: max };
}

function schemaOf(step: Step, path: string): JsonSchema {
	return step.pipe === undefined ? plainSchema(step, path) : ofPipe(step.pipe, path);
}

function plainSchema(step: Step, path: string): JsonSchema {
	const { type, wrapped, entries, item, value, options } = step;
	if (wrapped !== undefined) return schemaOf(wrapped, path);
	switch (type) {
		case "object":
			return { type: "object", properties: propertiesOf(entries ?? {}, path), additionalProperties: false };
		case "record":
			return {
				type: "object",
				additionalProperties: value === undefined ? {} : optional(schemaOf(value, path)),
			};
		case "array":
			return { type: "array", items: item === undefined ? {} : schemaOf(item, `${path}[]`) };
		case "picklist":
			return { enum: options };
		case "union":
			return { anyOf: (options as readonly Step[]).map((option) => schemaOf(option, path)) };
		default:
			return { type };
	}
}

/** A setting without a value counts as absent, so each may have none. */
function propertiesOf(entries: Readonly<Record<string, Step>>, path: string): JsonSchema {
	return Object.fromEntries(
		Object.entries(entries).map(([key, step]) => {
			const at = path === "" ? key : `${path}.${key}`;
			const meaning = settings.find((setting) => setting.key === at)?.meaning;
			const schema = optional(schemaOf(step, at));
			return [key, meaning === undefined ? schema : { description: meaning.replaceAll("`", ""), ...schema }];
		}),
	);
}

/** An empty file means the defaults. */
export const settingsSchema: JsonSchema = {
	$schema: dialect,
	title: "Portward's settings",
	...optional(schemaOf(configSchema as unknown as Step, "")),
};
