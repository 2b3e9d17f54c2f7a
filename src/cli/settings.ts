/** Reads the config file for a command and lays the flags over it. */

import type { Stats } from "node:fs";
import { resolve } from "node:path";
import type { Diagnostic } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import { mergeFlags, parseConfig } from "../config/parse.ts";
import { statusRefusal } from "../config/status-access.ts";
import { readBounded } from "../source/bounded-file.ts";
import { distrustWay } from "../source/held-directory.ts";
import { distrust } from "../source/permissions.ts";
import type { SettingsText } from "../state/saved-settings.ts";
import { UsageError } from "./command.ts";

export const defaultConfigFile = "/etc/portward/config.yaml";

/** A config larger than this is a mistake. */
const maxConfigBytes = 1024 * 1024;

/** Milliseconds that a pipe may be silent; the daemon does nothing else meanwhile. */
const patienceMs = 2000;

export interface SettingsFlags {
	readonly config?: string | undefined;
	readonly "policy-dir"?: string | undefined;
	readonly "state-dir"?: string | undefined;
	readonly "status-address"?: string | undefined;
}

export interface Settings {
	/** Null when there are errors, but for a refused status address: enforcement goes on without an endpoint. */
	readonly config: Config | null;
	readonly diagnostics: readonly Diagnostic[];
	/** The file that was read, null when there is none. */
	readonly file: string | null;
	/** What stands in the file, be it right or wrong; null where that cannot be read or must not be believed. */
	readonly text: string | null;
}

/** What is kept of good settings. */
export function sourceOf({ config, file, text }: Settings): SettingsText | null {
	return config === null || text === null ? null : { file, text };
}

/** Without `--config` a missing default file means defaults; a file that was named must be there. */
export function readSettings(flags: SettingsFlags, checkPermissions: boolean): Settings {
	const file = flags.config ?? defaultConfigFile;
	let text = "";
	let present = true;
	const problem = (code: string, message: string, hint: string): Settings => ({
		config: null,
		diagnostics: [{ file, line: 1, column: 1, path: "", severity: "error", code, message, hint }],
		file,
		text: null,
	});
	try {
		let refused = null as ReturnType<typeof distrust>;
		const accept = (stats: Stats) => {
			refused = checkPermissions ? distrust("the config file", stats) : null;
			return refused === null;
		};
		const read = readBounded(file, { limit: maxConfigBytes, patienceMs, accept });
		refused ??= checkPermissions ? distrustWay(file, "the config file") : null;
		if (refused !== null) return problem("insecure-permissions", refused.message, refused.hint);
		if (!read.ok && read.reason === "too-large")
			return problem("file-too-large", "the config file is too large", "see man portward for its keys");
		if (!read.ok)
			return problem("unreadable-file", "nothing comes through this pipe", "name another file with --config");
		text = read.text;
	} catch (error) {
		if (
			flags.config !== undefined ||
			!(error instanceof Error && "code" in error && error.code === "ENOENT")
		) {
			return problem(
				"unreadable-file",
				error instanceof Error ? error.message : String(error),
				"name another file with --config",
			);
		}
		present = false;
	}
	const read = parseSettings(file, text, flags);
	return { ...read, file: present ? file : null };
}

/** The settings that `text` stands for, with the flags over them. */
export function parseSettings(file: string, text: string, flags: SettingsFlags): Settings {
	const parsed = parseConfig(file, text);
	if (!parsed.ok) return { config: null, diagnostics: parsed.diagnostics, file, text };
	const absolute = (path: string | undefined) => (path === undefined ? null : resolve(path));
	const merged = mergeFlags(parsed.config, {
		policyDir: absolute(flags["policy-dir"]),
		stateDir: absolute(flags["state-dir"]),
		statusAddress: flags["status-address"] ?? null,
	});
	if (!merged.ok) throw new UsageError(merged.message);
	// A flag may have replaced the address that the file's diagnostic is about.
	const refused = statusRefusal(merged.config.status) !== null;
	const diagnostics = parsed.diagnostics.filter(({ code }) => refused || code !== "status-refused");
	return { config: merged.config, diagnostics, file, text };
}
