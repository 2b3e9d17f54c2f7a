/** What the tests run: the compiled executable and the traffic program, each built when it is missing or stale. */

import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../../..");

function newest(patterns: readonly string[]): number {
	const times = patterns.flatMap((pattern) =>
		[...new Bun.Glob(pattern).scanSync({ cwd: root })].map((path) => statSync(join(root, path)).mtimeMs),
	);
	return Math.max(0, ...times);
}

function stale(output: string, sources: readonly string[]): boolean {
	return !existsSync(output) || statSync(output).mtimeMs < newest(sources);
}

function run(argv: string[]): void {
	const result = Bun.spawnSync(argv, { cwd: root, stdout: "pipe", stderr: "pipe" });
	if (!result.success) throw new Error(`${argv.join(" ")} failed:\n${result.stdout}${result.stderr}`);
}

/** Path of dist/portward as the sources are now. */
export function executable(): string {
	const output = join(root, "dist/portward");
	if (
		stale(output, [
			"src/**/*.ts",
			"ffi/**/*.ts",
			"build.ts",
			"scripts/{compile,disarm,release-lock,seal,unused}.ts",
			"package-lock.json",
		])
	) {
		run([process.execPath, "build.ts"]);
	}
	return output;
}

/** Path of the program in test/tools. */
export function trafficProgram(): string {
	const output = join(root, "node_modules/.cache/traffic");
	if (stale(output, ["test/tools/*"])) {
		mkdirSync(dirname(output), { recursive: true });
		const sources = [...new Bun.Glob("test/tools/*.c").scanSync({ cwd: root })].sort();
		// Renamed into place, because test files run in parallel.
		const staged = `${output}.${process.pid}`;
		// Static, because containers that have nothing else run it too.
		run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-static", "-o", staged, ...sources]);
		renameSync(staged, output);
	}
	return output;
}
