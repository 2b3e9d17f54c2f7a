/** What panic-open and resume need to know, also where the config file is broken. */

import { resolve } from "node:path";
import { defaultConfig } from "../config/parse.ts";
import type { Io } from "./command.ts";
import { printDiagnostics } from "./diagnostics.ts";
import type { parseOnlyOptions } from "./options.ts";
import { readSettings, type SettingsFlags } from "./settings.ts";

export interface PanicSettings {
	readonly table: string;
	readonly stateDir: string;
}

export const panicOptions = {
	config: { type: "string" },
	"state-dir": { type: "string" },
} as const satisfies Parameters<typeof parseOnlyOptions>[1];

/** In an emergency a broken config file is no reason to do nothing: the defaults stand in, and it is said. */
export function panicSettings(flags: SettingsFlags, io: Io): PanicSettings {
	const { config, diagnostics } = readSettings(flags, false);
	printDiagnostics(diagnostics, io);
	if (config !== null) return { table: config.table, stateDir: config.stateDir };
	const { table, stateDir } = defaultConfig();
	const state = flags["state-dir"] === undefined ? stateDir : resolve(flags["state-dir"]);
	io.error(`portward: without these settings, table ${table} and state directory ${state} are taken\n`);
	return { table, stateDir: state };
}

/** Whether this process may change the kernel's tables and root's state. */
export function isRoot(): boolean {
	return process.geteuid?.() === 0;
}
