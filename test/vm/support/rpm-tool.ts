/** rpm for a guest whose Debian has none: this machine's, with its libraries and the loader that goes with them. */

import { chmodSync, copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** Puts rpm into a folder; in the guest, where it is found as /host/NAME, /host/NAME/rpm runs. */
export function rpmTool(folder: string): string {
	const program = Bun.which("rpm");
	if (program === null) throw new Error("rpm is missing: run scripts/setup.sh");
	mkdirSync(join(folder, "lib"), { recursive: true });
	copyFileSync(program, join(folder, "program"));
	const linked = Bun.spawnSync(["ldd", program]).stdout.toString();
	const files = [...linked.matchAll(/(?:=> |^\s+)(\/\S+) \(/gmu)].map(([, path = ""]) => path);
	for (const path of files) copyFileSync(path, join(folder, "lib", basename(path)));
	cpSync("/usr/lib/rpm", join(folder, "config"), {
		recursive: true,
		filter: (path) => !path.includes("/plugins"),
	});
	const loader = basename(files.find((path) => /\/ld-/u.test(path)) ?? "");
	writeFileSync(
		join(folder, "rpm"),
		`#!/bin/sh
here=$(dirname "$0")
export RPM_CONFIGDIR=$here/config
exec "$here/lib/${loader}" --library-path "$here/lib" "$here/program" "$@"
`,
	);
	chmodSync(join(folder, "rpm"), 0o755);
	return folder;
}
