/** Executes what was built for another kind of machine, under QEMU's emulation of a process. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { root, version } from "../compile.ts";

/** Where scripts/setup.sh unpacks Debian's qemu-user-static and libc6-arm64-cross. */
const tools = join(root, "node_modules/.cache/tools/usr");

/**
 * The words before an executable of the target that have this machine run it, or null where nothing here does. The
 * loader is named: with QEMU's -L in its place the root directory, from which policies are reached, would be another.
 */
export function emulator(target: string): readonly string[] | null {
	if (target !== "linux-arm64-glibc") return null;
	const qemu = join(tools, "bin/qemu-aarch64-static");
	const libraries = join(tools, "aarch64-linux-gnu/lib");
	const loader = join(libraries, "ld-linux-aarch64.so.1");
	return existsSync(qemu) && existsSync(loader) ? [qemu, loader, "--library-path", libraries] : null;
}

/** Settings by which the sample policies are for the host, whatever it is. */
export const askedWith = "nodeLabels: { role: database, env: production, tier: backend }\n";

/**
 * Commands that ask nothing of the host but its name: what they print is the same on every kind of machine.
 * @param settings a file with `askedWith`
 */
const questions = (settings: string): readonly (readonly string[])[] => [
	["version"],
	["render", "--config", settings, "--policy-dir", join(root, "policies/as-meant")],
	["validate", "--config", settings, join(root, "policies/as-published")],
	["completion", "bash"],
];

/** What an executable answers: for each question the exit code and all that it prints. */
export type Answers = readonly string[];

/**
 * Asks an executable.
 * @param argv the executable, behind what runs it
 * @param machine as the executable names its kind: x64, arm64
 * @param settings a file with `askedWith`
 */
export function ask(argv: readonly string[], machine: string, settings: string): Answers {
	return questions(settings).map((question) => {
		const { exitCode, stdout, stderr } = Bun.spawnSync([...argv, ...question], {
			cwd: "/",
			timeout: 300_000,
		});
		const said = question[0] === "version" ? stdout.toString().replace(`linux/${machine}`, "linux") : stdout;
		return `${exitCode}\n${said}\n${stderr}`;
	});
}

/** Why these answers are no portward's of this version, or null. */
export function notOurs([first = ""]: Answers): string | null {
	return first.startsWith(`0\nportward ${version} `) ? null : `it says ${JSON.stringify(first)}`;
}

/** Which question two executables answer differently, or null. */
export function difference(one: Answers, other: Answers): string | null {
	const at = one.findIndex((answer, index) => answer !== other[index]);
	return at < 0
		? null
		: `portward ${questions("FILE")[at]?.join(" ")} answers otherwise than on this machine`;
}
