import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type JsonPath, placeInJson } from "../../../src/cli/journey/json-place.ts";

const text = `{"a": [1, {"b\\u0041": "x"}],\n  "c": null}`;

test.each([
	[["a"], "1:7"],
	[["a", 0], "1:8"],
	[["a", 1, "bA"], "1:23"],
	[["c"], "2:8"],
	[["a", 1, "none"], "1:11"],
	[[], "1:1"],
] satisfies [JsonPath, string][])("%j stands at %s", (path, expected) => {
	const { line, column } = placeInJson(text, path);
	expect(`${line}:${column}`).toBe(expected);
});

test.each([
	["", "1:1"],
	["{", "1:2"],
	["[1,\n 2,\n x]", "3:2"],
	['{"a": 1,}', "1:9"],
	['{"a" 1}', "1:6"],
	["{} {}", "1:4"],
	['["\u0001"]', "1:2"],
])("%j is no JSON from %s on", (broken, expected) => {
	const { line, column } = placeInJson(broken, []);
	expect(`${line}:${column}`).toBe(expected);
});

test("deep nesting ends the search, not the process", () => {
	expect(placeInJson("[".repeat(1_000_000), []).line).toBe(1);
});

/** Every path of a value, with what stands there. */
function* walk(value: unknown, path: JsonPath): Generator<[JsonPath, unknown]> {
	yield [path, value];
	if (typeof value !== "object" || value === null) return;
	for (const [key, inner] of Object.entries(value))
		yield* walk(inner, [...path, Array.isArray(value) ? Number(key) : key]);
}

describe("of any value", () => {
	test("each part is found where it was written", () => {
		fc.assert(
			fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 1, 2), (value, indent) => {
				const written = JSON.stringify(value, null, indent);
				for (const [path, part] of walk(JSON.parse(written), [])) {
					const { line, column } = placeInJson(written, path);
					const rest = written
						.split("\n")
						.slice(line - 1)
						.join("\n")
						.slice(column - 1);
					const first = JSON.stringify(part).slice(0, 1);
					expect(rest.slice(0, 1)).toBe(first);
					if (typeof part !== "object" || part === null)
						expect(rest.startsWith(JSON.stringify(part))).toBe(true);
				}
			}),
		);
	});
});
