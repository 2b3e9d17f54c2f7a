/**
 * One signed release for all tests of install.sh, as making it takes a core for ten seconds. It is made of the sources as
 * they are, once, and nobody changes it.
 *
 *   bun test/install/shared-release.ts FOLDER   makes FOLDER, unless it is there
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { checkout, makeRelease } from "./sandbox.ts";

export interface SharedRelease {
	/** Paths: the folder that is published, and the keys that it is signed with. */
	readonly real: string;
	readonly key: string;
	readonly publicKey: string;
}

const within = (folder: string): SharedRelease => ({
	real: join(folder, "real"),
	key: join(folder, "key.pem"),
	publicKey: join(folder, "public.pem"),
});

function run(argv: readonly string[]): string {
	const { success, stdout, stderr } = Bun.spawnSync([...argv], { cwd: checkout });
	if (!success) throw new Error(`${argv.join(" ")}: ${stderr}`);
	return stdout.toString();
}

/** Differs where a source does that goes into a release, and with the commit, which the executable names. */
function version(): string {
	const listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]).split("\0");
	const sources = listed.filter((path) => path !== "" && !path.startsWith("test/"));
	const hash = new Bun.SHA256().update(run(["git", "rev-parse", "HEAD"]));
	for (const path of sources) {
		const found = statSync(join(checkout, path), { throwIfNoEntry: false });
		hash.update(`${path} ${found?.size} ${found?.mtimeMs} ${found?.mode}\n`);
	}
	return hash.digest("hex");
}

/** The release of the sources as they are. Another process may be making it; then this one waits. @throws Error */
export function sharedRelease(): SharedRelease {
	const cache = join(checkout, "node_modules/.cache/install");
	mkdirSync(cache, { recursive: true });
	const folder = join(cache, version());
	run(["flock", join(cache, "lock"), process.execPath, import.meta.path, folder]);
	return within(folder);
}

function make(folder: string): void {
	if (existsSync(folder)) return;
	for (const name of readdirSync(dirname(folder)))
		if (name !== "lock") rmSync(join(dirname(folder), name), { recursive: true });
	const staged = join(dirname(folder), `staged-${basename(folder)}`);
	mkdirSync(staged);
	const { real, key, publicKey } = within(staged);
	run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key]);
	run(["openssl", "pkey", "-in", key, "-pubout", "-out", publicKey]);
	makeRelease(real, "--key", key);
	renameSync(staged, folder);
}

if (import.meta.main) make(process.argv[2] ?? "");
