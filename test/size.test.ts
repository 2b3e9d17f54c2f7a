/** How large a file and a folder may be. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");

/** Every file of the product and its tests, but for what tests are fed with. */
const files = [...new Bun.Glob("{src,ffi,test}/**/*").scanSync({ cwd: root, onlyFiles: true })]
	.filter((path) => !path.startsWith("test/fixtures/"))
	.sort();

const mostLines = 350;
const mostFiles = 25;

/** Tests that are still longer. None is added, no source is one, and what is no longer leaves the list. */
const longer: readonly string[] = [
	"test/daemon/pending/pending-changes.test.ts",
	"test/enforcers/network/run/network-enforcer.test.ts",
];

test("a file can be read in one sitting: at most 350 lines", () => {
	const long = files.filter(
		(path) =>
			path.endsWith(".ts") && readFileSync(join(root, path), "utf8").split("\n").length - 1 > mostLines,
	);
	expect(long).toEqual([...longer]);
	expect(longer.filter((path) => !path.startsWith("test/"))).toEqual([]);
});

/** Lines of each function and method of a source, from its first line to the brace that ends it at its own depth. */
function functionsOf(text: string): { readonly name: string; readonly lines: number }[] {
	const lines = text.split("\n");
	return lines.flatMap((line, start) => {
		const begins =
			/^(\t?)(?:(?:export |default |async |static |private |get |set )*(?:function\*? \w+|constructor|#?\w+)(?:<.*>)?\()/.exec(
				line,
			);
		if (begins === null || !/[{(]$/.test(line) || /^\t?(?:if|for|while|switch|return)\b/.test(line))
			return [];
		const end = lines.findIndex((later, at) => at > start && later.startsWith(`${begins[1]}}`));
		return end < 0 ? [] : [{ name: line.trim(), lines: end - start + 1 }];
	});
}

test("a function can be read at a glance: at most 80 lines", () => {
	expect(functionsOf(`function f() {\n${"\tx();\n".repeat(99)}}\n`)).toEqual([
		{ name: "function f() {", lines: 101 },
	]);
	const sources = files.filter((path) => !path.startsWith("test/") && path.endsWith(".ts"));
	const long = sources.flatMap((path) =>
		functionsOf(readFileSync(join(root, path), "utf8"))
			.filter(({ lines }) => lines > 80)
			.map(({ name, lines }) => `${path}: ${name} ${lines}`),
	);
	expect(long).toEqual([]);
});

test("a folder can be taken in at a glance: at most 25 files", () => {
	const counts = new Map<string, number>();
	for (const path of files) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
	expect(counts.size).toBeGreaterThan(50);
	expect([...counts].filter(([, count]) => count > mostFiles)).toEqual([]);
});
