/** JSON Schema of every kind of document that is registered, and of the settings. */

import { settingsSchema } from "../config/json-schema.ts";
import { dialect, type JsonSchema } from "../document/json-schema.ts";
import { registeredKinds } from "./enforcers.ts";

/** By kind, in the order in which they are told. */
export const kindSchemas: Readonly<Record<string, JsonSchema>> = registeredKinds.schemas;

/** What `portward schema --kind` calls the settings. */
const settingsKind = "settings";

export const schemaNames: readonly string[] = [...Object.keys(kindSchemas), settingsKind];

/** Null for a name that is none of `schemaNames`. */
export function schemaOfKind(name: string): JsonSchema | null {
	if (name === settingsKind) return settingsSchema;
	const schema = Object.hasOwn(kindSchemas, name) ? kindSchemas[name] : undefined;
	return schema === undefined ? null : { $schema: dialect, title: name, ...schema };
}

/** Any document of a policy directory: one of a kind, or a list of them, as kubectl writes it or as an array. */
export function documentSchema(): JsonSchema {
	const kinds = Object.keys(kindSchemas);
	const one = { anyOf: kinds.map((kind) => ({ $ref: `#/$defs/${kind}` })) };
	const lists = ["List", ...kinds.map((kind) => `${kind}List`)];
	const listed = {
		type: "object",
		properties: { kind: { enum: lists }, items: { type: "array", items: one, minItems: 1 } },
		required: ["kind", "items"],
	};
	return {
		$schema: dialect,
		title: "Portward's policies and tests",
		anyOf: [...one.anyOf, listed, { type: "array", items: one, minItems: 1 }],
		$defs: kindSchemas,
	};
}
