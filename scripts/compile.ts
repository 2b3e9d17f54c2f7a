/** Compiles portward: the one way in which executables are made, for users' builds and for releases. */

import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { disarm } from "./disarm.ts";
import { seal } from "./seal.ts";
import { withoutUnused } from "./unused.ts";

export const root = resolve(import.meta.dir, "..");

const { version }: { version: string } = await Bun.file(join(root, "package.json")).json();

export { version };

/** What an executable is made of, as far as it lies in the checkout. */
const sources = [
	"src",
	"ffi",
	"build.ts",
	"scripts/compile.ts",
	"scripts/disarm.ts",
	"scripts/release-lock.ts",
	"scripts/seal.ts",
	"scripts/unused.ts",
	"package-lock.json",
];

/** What git says of the checkout, or null where it fails or is not there. */
export function git(...args: string[]): string | null {
	if (Bun.which("git") === null) return null;
	const { success, stdout } = Bun.spawnSync(["git", ...args], { cwd: root, stderr: "ignore" });
	return success ? stdout.toString() : null;
}

/** The commit that is built, marked when the sources differ from it; "unknown" outside a checkout, and without git. */
export function commit(): string {
	const head = git("rev-parse", "HEAD");
	if (head === null) return "unknown";
	const clean = git("diff", "--quiet", "HEAD", "--", ...sources) !== null;
	return head.trim() + (clean ? "" : "-modified");
}

export interface Foreign {
	/** As Bun writes it, such as "bun-linux-arm64-musl". */
	readonly target: string;
	/** File of the runtime that goes into the executable. */
	readonly runtime: string;
}

/**
 * Makes in `outfile` what Bun makes of the sources. With `maps` it puts source maps beside the file, and into it.
 * Returns why it could not, or null.
 */
async function bundle(outfile: string, maps: boolean, foreign?: Foreign): Promise<string | null> {
	const workers = [...new Bun.Glob("src/**/*.worker.ts").scanSync({ cwd: root })].sort();
	const result = await Bun.build({
		// main.ts comes first: it is what runs; Workers are found by their path relative to it.
		entrypoints: ["src/main.ts", ...workers].map((path) => join(root, path)),
		// Said here: of more than eight entry points Bun takes another folder than the deepest that holds them all.
		root: join(root, "src"),
		target: "bun",
		throw: false,
		// What a thread loads is ready to run: parsing it again in each costs time and memory.
		bytecode: true,
		format: "esm",
		// Code that several threads or commands need is in the file once, and is loaded when it is needed.
		splitting: true,
		// Names stay, so that a stack trace in a bug report can be read; scripts/trace.ts finds the lines.
		minify: { whitespace: true, syntax: true, identifiers: false, keepNames: true },
		sourcemap: maps ? "external" : "none",
		plugins: [withoutUnused],
		// A library that asks for its folder would put the folder of this checkout into the executable.
		define: { BUILD: JSON.stringify({ version, commit: commit() }), __dirname: '"/"' },
		// A path that is only known at run time would let the working directory choose the code.
		allowUnresolved: [],
		compile: {
			outfile,
			...(foreign === undefined
				? {}
				: { target: foreign.target as Bun.Build.CompileTarget, executablePath: foreign.runtime }),
			// Whoever starts portward, as root, in a directory must not run what lies in it.
			autoloadDotenv: false,
			autoloadBunfig: false,
			autoloadTsconfig: false,
			autoloadPackageJson: false,
		},
	});
	return result.success ? null : result.logs.join("\n") || "Bun says nothing about why";
}

/**
 * Compiles to `outfile`, for this machine or for another, disarmed and sealed. Returns why it is not to be
 * shipped, or null. Sources are trusted; `outfile` is replaced only by an executable that is whole.
 */
export async function compile(outfile: string, foreign?: Foreign): Promise<string | null> {
	// Built under the final name, which the executable embeds, beside the one that may be running.
	await mkdir(dirname(outfile), { recursive: true });
	const staging = await mkdtemp(join(dirname(outfile), ".build-"));
	try {
		const staged = join(staging, "portward");
		const problem = await bundle(staged, false, foreign);
		if (problem !== null) return problem;
		const disarmed = disarm(await Bun.file(staged).bytes());
		if (!disarmed.ok) return disarmed.error;
		const sealed = seal(disarmed.bytes);
		if (!sealed.ok) return sealed.error;
		await Bun.write(staged, sealed.value);
		await chmod(staged, 0o755);
		await rename(staged, outfile);
		return null;
	} finally {
		await rm(staging, { recursive: true, force: true });
	}
}

/**
 * Writes the source maps of what `compile` makes of the same sources for this machine's architecture into
 * `directory`, for scripts/trace.ts. Returns why it could not, or null.
 *
 * The executable is without them: they are as large as its code, and nobody reads them where it runs. Bun would put
 * them into what it compiles, so they come of a second run, whose code is the same but for a comment at its end.
 */
export async function writeMaps(directory: string): Promise<string | null> {
	await mkdir(directory, { recursive: true });
	const staging = await mkdtemp(join(directory, ".build-"));
	try {
		const problem = await bundle(join(staging, "portward"), true);
		if (problem !== null) return problem;
		for (const name of await readdir(staging)) {
			if (name.endsWith(".map")) await rename(join(staging, name), join(directory, name));
		}
		return null;
	} finally {
		await rm(staging, { recursive: true, force: true });
	}
}
