/** A runtime that is not as expected gives no executable. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile } from "../../scripts/compile.ts";
import { nativeTarget } from "../../scripts/release-targets.ts";

let directory: string;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-compile-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

test.each([
	[
		"that reads a variable under another name",
		"BUN_OPTIONS\0",
		"BUN_OPTIONZ\0",
		"BUN_OPTIONS occurs 0 times",
	],
	["without a place for its program", "\0.bun\0", "\0.bum\0", "failed to write"],
])("a runtime %s", async (_, text, other, message) => {
	const bytes = readFileSync(process.execPath);
	const at = bytes.lastIndexOf(Buffer.from(text, "latin1"));
	expect(at).toBeGreaterThan(0);
	bytes.write(other, at, "latin1");
	const runtime = join(directory, "runtime");
	writeFileSync(runtime, bytes, { mode: 0o755 });
	const outfile = join(directory, "out/portward");
	const problem = await compile(outfile, { target: nativeTarget()?.bun ?? "", runtime });
	expect(problem).toContain(message);
	expect(existsSync(outfile)).toBe(false);
	expect(readdirSync(join(directory, "out"))).toEqual([]);
});

test("without git the commit is unknown, and nothing fails", () => {
	const asked = `import { commit } from ${JSON.stringify(join(import.meta.dir, "../../scripts/compile.ts"))}; console.log(commit())`;
	const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", asked], { env: { PATH: directory } });
	expect([stdout.toString(), stderr.toString()]).toEqual(["unknown\n", ""]);
});
