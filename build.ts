/**
 * Makes dist/portward, one executable for this machine's architecture.
 *
 *   bun build.ts [--outfile FILE]
 *
 * The same commit gives the same bytes.
 */

import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { disarm } from "./scripts/disarm.ts";

const root = import.meta.dir;

function fail(message: string): never {
	console.error(`build: ${message}`);
	process.exit(1);
}

/** The commit that is built, marked when the tree differs from it; "unknown" outside a checkout. */
function commit(): string {
	const git = (...args: string[]) => Bun.spawnSync(["git", ...args], { cwd: root, stderr: "ignore" });
	const head = git("rev-parse", "HEAD");
	if (!head.success) return "unknown";
	const clean = git("diff", "--quiet", "HEAD", "--", "src", "ffi", "build.ts", "package-lock.json").success;
	return head.stdout.toString().trim() + (clean ? "" : "-modified");
}

const { values } = parseArgs({ options: { outfile: { type: "string", default: "dist/portward" } } });
const outfile = resolve(root, values.outfile);
const manifest: { version: string } = await Bun.file(join(root, "package.json")).json();
const workers = [...new Bun.Glob("src/**/*.worker.ts").scanSync({ cwd: root })].sort();

// Built under the final name, which the executable embeds, beside the one that may be running.
const staging = join(dirname(outfile), `.build-${process.pid}`);
await mkdir(staging, { recursive: true });
try {
	const staged = join(staging, "portward");
	const result = await Bun.build({
		// main.ts comes first: it is what runs; Workers are found by their path relative to it.
		entrypoints: ["src/main.ts", ...workers].map((path) => join(root, path)),
		target: "bun",
		// Names stay, so that a stack trace in a bug report can be read.
		minify: { whitespace: true, syntax: true, identifiers: false, keepNames: true },
		sourcemap: "inline",
		define: { BUILD: JSON.stringify({ version: manifest.version, commit: commit() }) },
		// A path that is only known at run time would let the working directory choose the code.
		allowUnresolved: [],
		compile: {
			outfile: staged,
			// Whoever starts portward, as root, in a directory must not run what lies in it.
			autoloadDotenv: false,
			autoloadBunfig: false,
			autoloadTsconfig: false,
			autoloadPackageJson: false,
		},
	});
	if (!result.success) fail(result.logs.join("\n"));
	const disarmed = disarm(await Bun.file(staged).bytes());
	if (!disarmed.ok) fail(disarmed.error);
	await Bun.write(staged, disarmed.bytes);
	await chmod(staged, 0o755);
	await rename(staged, outfile);
} finally {
	await rm(staging, { recursive: true, force: true });
}
console.log(`${values.outfile}: portward ${manifest.version} (${process.platform}-${process.arch})`);
