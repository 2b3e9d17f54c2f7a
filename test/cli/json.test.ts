import { expect, test } from "bun:test";
import fc from "fast-check";
import { prettyJson } from "../../src/cli/json.ts";
import { build, version } from "../../src/cli/version.ts";

test("any value comes back, and no character of it obeys a terminal", () => {
	fc.assert(
		fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
			const text = prettyJson(value);
			expect(text).toEndWith("\n");
			expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/);
			expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
		}),
	);
	expect(prettyJson({ a: ["\x1b\u202e"] })).toBe('{\n  "a": [\n    "\\u001b\\u202e"\n  ]\n}\n');
});

test("from source, the version names no commit", () => {
	expect(build).toEqual({ version: "0.0.0", commit: "source" });
	expect(version.name).toBe("version");
});
