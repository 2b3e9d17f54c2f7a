/**
 * Files that must pass without a finding, and files that must not: these carry
 * their findings as `# expect LINE:COLUMN CODE PATH` comments, or in a file
 * NAME.expect beside them.
 */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parsePolicyFile } from "../../src/engine/parse.ts";

const good = join(import.meta.dir, "../fixtures/policies-good");
const bad = join(import.meta.dir, "../fixtures/policies-bad");

function findings(file: string, text: string): string[] {
	const { documents } = parsePolicyFile(file, text);
	const all = documents.flatMap((document) => document.diagnostics);
	return all.map((d) => `${d.line}:${d.column} ${d.code} ${d.path}`.trimEnd());
}

test.each(readdirSync(good))("good: %s", (file) => {
	const text = readFileSync(join(good, file), "utf8");
	expect(findings(file, text)).toEqual([]);
	const { documents } = parsePolicyFile(file, text);
	expect(documents.length).toBeGreaterThan(0);
	for (const document of documents) expect(document.policy).not.toBeNull();
});

test.each(readdirSync(bad).filter((file) => !file.endsWith(".expect")))("bad: %s", (file) => {
	const text = readFileSync(join(bad, file), "utf8");
	const sidecar = join(bad, `${file}.expect`);
	const expected = existsSync(sidecar)
		? readFileSync(sidecar, "utf8").trim().split("\n")
		: [...text.matchAll(/^# expect (.+)$/gm)].map((match) => match[1] ?? "");
	expect(expected.length).toBeGreaterThan(0);
	expect(findings(file, text)).toEqual(expected);
});
