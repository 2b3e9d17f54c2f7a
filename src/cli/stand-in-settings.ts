/** What stands in for a settings file that is broken: the last good settings, and for commands else the defaults. */

import { resolve } from "node:path";
import { escapeForTerminal } from "../base/terminal.ts";
import type { Config } from "../config/model.ts";
import { defaultConfig } from "../config/parse.ts";
import { salvageStateDir } from "../config/salvage.ts";
import { distrustDirectory } from "../source/held-directory.ts";
import { readSavedSettings } from "../state/saved-settings.ts";
import type { Io } from "./command.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { parseSettings, readSettings, type Settings, type SettingsFlags } from "./settings.ts";

export interface LastGoodSettings {
	readonly config: Config;
	/** The state directory that they were kept in. */
	readonly stateDir: string;
}

/** The settings that were last in force, by a daemon with the same state directory. Null where none were kept. */
export function lastGoodSettings(broken: Settings, flags: SettingsFlags): LastGoodSettings | null {
	for (const stateDir of stateDirectories(broken, flags)) {
		// Where others can write, on the way as well, others could have put settings.
		const distrusted = distrustDirectory(stateDir, "the state directory") !== null;
		const saved = distrusted ? null : readSavedSettings(stateDir);
		if (saved === null) continue;
		const { config } = parseSettings(saved.file ?? "the defaults", saved.text, flags);
		// Settings that were kept elsewhere than they say are not those of this daemon.
		if (config !== null && config.stateDir === stateDir) return { config, stateDir };
	}
	return null;
}

/**
 * The settings for a command that talks to the daemon or looks at what it keeps. A daemon runs on while its settings
 * file is broken, so what is wrong is printed, and what was last good stands in, or else the defaults.
 */
export function commandSettings(flags: SettingsFlags, io: Io): Config {
	const settings = readSettings(flags, false);
	const known = knownSettings(settings, flags, io);
	if (known !== null) return known;
	// Nothing is kept where these point, but a daemon may run there all the same.
	const [stateDir = defaultConfig().stateDir] = stateDirectories(settings, flags);
	const merged = parseSettings("the defaults", "", { ...flags, "state-dir": stateDir }).config;
	const config = merged ?? { ...defaultConfig(), stateDir };
	io.error(
		`portward: without these settings, table ${config.table} and state directory ${escapeForTerminal(stateDir)} are taken\n`,
	);
	return config;
}

/** The settings as read, or the last good ones, which it says; null, after what is wrong is printed, where there are none. */
export function knownSettings(settings: Settings, flags: SettingsFlags, io: Io): Config | null {
	printDiagnostics(settings.diagnostics, io);
	if (settings.config !== null) return settings.config;
	const known = lastGoodSettings(settings, flags);
	if (known === null) return null;
	io.error(`portward: the last good settings are used, from ${escapeForTerminal(known.stateDir)}\n`);
	return known.config;
}

/** Where state may lie, the most certain first. */
function stateDirectories({ text }: Settings, flags: SettingsFlags): string[] {
	const named = flags["state-dir"];
	if (named !== undefined) return [resolve(named)];
	const salvaged = text === null ? null : salvageStateDir(text);
	return [...(salvaged === null ? [] : [salvaged]), defaultConfig().stateDir];
}
