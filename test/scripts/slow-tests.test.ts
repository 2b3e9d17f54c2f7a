/** The order in which the main suite's files start. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");

test("files that start first are there, are named once, and belong to the main suite", () => {
	const lines = readFileSync(join(root, "scripts/slow-tests.txt"), "utf8").trim().split("\n");
	const named = lines.filter((line) => !line.startsWith("#"));
	expect(named.length).toBeGreaterThan(10);
	expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
	expect(new Set(named).size).toBe(named.length);
	expect(named.filter((path) => /^test\/(?:vm|browser|containers|ansible|release)\//u.test(path))).toEqual(
		[],
	);
});
