import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchangePaths } from "../../ffi/rename.ts";

test("two directories change places, and nothing changes where one is missing", () => {
	const directory = mkdtempSync(join(tmpdir(), "portward-rename."));
	const [one, other] = [join(directory, "öne"), join(directory, "other")];
	for (const path of [one, other]) mkdirSync(path);
	writeFileSync(join(one, "a"), "");
	expect(exchangePaths(one, other)).toEqual({ ok: true });
	expect([readdirSync(one), readdirSync(other)]).toEqual([[], ["a"]]);
	expect(exchangePaths(one, join(directory, "none"))).toEqual({
		ok: false,
		error: expect.stringContaining("ENOENT"),
	});
	expect(readdirSync(directory).length).toBe(2);
	expect(() => exchangePaths(one, "a\0b")).toThrow(TypeError);
	rmSync(directory, { recursive: true });
});
