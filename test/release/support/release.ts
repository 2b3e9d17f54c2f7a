/** The release of these sources, as `npm run release` makes it. */

import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { commit, version } from "../../../scripts/compile.ts";
import { newestSource } from "../../vm/support/releases.ts";

export const root = resolve(import.meta.dir, "../../..");
export const release = join(root, "release", version);

export interface Manifest {
	readonly commit: string;
	readonly targets: readonly {
		readonly target: string;
		readonly status: string;
		readonly file: string | null;
	}[];
}

/** Its manifest; a release of another commit, or of sources that were changed since, is made anew. */
export async function madeRelease(): Promise<Manifest> {
	const file = join(release, "manifest.json");
	const manifest = (): Manifest => JSON.parse(readFileSync(file, "utf8"));
	const current = () => statSync(file).mtimeMs > newestSource() && manifest().commit === commit();
	if (existsSync(file) && current()) return manifest();
	const made = Bun.spawn([process.execPath, "scripts/release.ts"], {
		cwd: root,
		stdout: "ignore",
		stderr: "pipe",
	});
	const error = await made.stderr.text();
	if ((await made.exited) !== 0) throw new Error(error);
	return manifest();
}
