import { expect, test } from "bun:test";
import { defaultConfig } from "../../src/config/parse.ts";
import { settings } from "../../src/config/reference.ts";
import { shapeAt } from "../../src/config/schema.ts";

/** Every path of the schema that holds a value, a list or free keys. */
function leaves(path: readonly string[] = []): string[] {
	const shape = shapeAt(path);
	if (shape.kind !== "object") return [path.join(".")];
	return shape.keys.flatMap((key) => leaves([...path, key]));
}

test("every setting of the schema is told once, and no other", () => {
	const told = settings.map(({ key }) => key);
	expect(new Set(told).size).toBe(told.length);
	expect(told.toSorted()).toEqual(leaves().toSorted());
});

test.each(settings.map(({ key, fallback }) => [key, fallback]))(
	"%s: the default is what holds",
	(key, fallback) => {
		let value: unknown = defaultConfig();
		for (const part of key.split(".")) {
			if (typeof value !== "object" || value === null) value = undefined;
			else value = new Map<string, unknown>(Object.entries(value)).get(part);
		}
		const text = typeof value === "object" ? JSON.stringify(value) : String(value);
		expect(fallback).toBe(value === null || value === undefined ? "" : text);
	},
);
