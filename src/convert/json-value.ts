/** Values of JSON and YAML that may be anything. */

/** A field of what may be an object. */
export function fieldOf(value: unknown, name: string): unknown {
	return typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
		? (value as Readonly<Record<string, unknown>>)[name]
		: undefined;
}
