/** What an executable says of an error in it leads to the line that has it, by the maps of the same sources. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { readLock } from "../../scripts/release-lock.ts";
import { copySources } from "../support/checkout.ts";

const root = resolve(import.meta.dir, "../..");

let directory: string;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-trace-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

const bun = (...argv: readonly string[]) => {
	const { success, stdout, stderr } = Bun.spawnSync([process.execPath, ...argv], { cwd: directory });
	if (!success) throw new Error(`${argv.join(" ")}: ${stderr}`);
	return stdout.toString();
};

/** Puts `text` behind the first `after` of a source. Returns its line and column. */
function insert(path: string, after: string, text: string): string {
	const source = readFileSync(join(directory, path), "utf8");
	const at = source.indexOf(after) + after.length;
	expect(at).toBeGreaterThan(after.length);
	writeFileSync(join(directory, path), source.slice(0, at) + text + source.slice(at));
	const before = source.slice(0, at).split("\n");
	return `${path}:${before.length}:${(before.at(-1)?.length ?? 0) + Math.max(0, text.indexOf("Error")) + 1}`;
}

/** Who builds the same sources again and is given what an executable said. */
const traced = (said: string) =>
	Bun.spawnSync([process.execPath, join(root, "scripts/trace.ts"), join(directory, "maps")], {
		stdin: Buffer.from(said),
	}).stdout.toString();

test("an error's trace leads to its lines", async () => {
	copySources(directory, await readLock(root));
	const thrown = insert(
		"src/cli/version.ts",
		"jsonOption);",
		' if (args.length === 0) throw new Error("made here");',
	);
	const entered = insert("src/main.ts", "const code = await ", "");
	bun("build.ts", "--outfile", "portward", "--maps", "maps");

	const { exitCode, stderr } = Bun.spawnSync([join(directory, "portward"), "version"], { env: {} });
	const said = stderr.toString();
	expect([exitCode, said.includes("/src/"), said.length < 4096]).toEqual([1, false, true]);
	expect(said).toMatch(/error: made here\n +at run \(\/\$bunfs\/root\/chunk-\w+\.js:\d+:\d+\)\n/);
	const lines = traced(said).split("\n");
	const first = lines.findIndex((line) => line.includes("at run "));
	expect(lines[first]).toEndWith(`at run (${thrown})`);
	expect(lines[first + 1]).toMatch(/at perform \(src\/cli\/dispatch\.ts:\d+:\d+\)$/);
	expect(lines.find((line) => line.includes("at main "))).toEndWith(`at main (${entered})`);

	// Bun names a map after its file, whatever folder that is in: each Worker has one of its own.
	const workers = [...new Bun.Glob("src/**/*.worker.ts").scanSync({ cwd: root })];
	const places = workers.map((path) => path.replace(/^src/, "/$bunfs/root").replace(/ts$/, "js:1:1"));
	// They begin with what they import, which is of no source.
	expect(traced(places.join("\n"))).toBe(places.map((place) => `${place} (no source)`).join("\n"));
	expect(new Set(workers.map((path) => basename(path))).size).toBe(workers.length);
	expect(traced("at x (/$bunfs/root/chunk-00000000.js:1:2)")).toContain("there is no map of it");
}, 300_000);
