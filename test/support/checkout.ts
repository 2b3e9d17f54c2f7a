/** The sources as they are now, to be built somewhere else. */

import { cpSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Lock, shippedPackages } from "../../scripts/release-lock.ts";

const root = resolve(import.meta.dir, "../..");

/** Copies all but the tests to a folder that is no checkout, with the packages that are shipped. */
export function copySources(to: string, lock: Lock): void {
	const listed = Bun.spawnSync(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
		cwd: root,
	});
	for (const path of listed.stdout.toString().split("\0")) {
		if (path === "" || path.startsWith("test/") || !existsSync(join(root, path))) continue;
		mkdirSync(dirname(join(to, path)), { recursive: true });
		cpSync(join(root, path), join(to, path));
	}
	for (const name of shippedPackages(lock)) {
		cpSync(join(root, "node_modules", name), join(to, "node_modules", name), { recursive: true });
	}
}
