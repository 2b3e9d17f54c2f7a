/** What panic-open and resume need to know, also where the config file is broken. */

import type { Config } from "../../config/model.ts";
import type { Io } from "../command.ts";
import type { parseOnlyOptions } from "../options.ts";
import { jsonOption } from "../outcome.ts";
import type { SettingsFlags } from "../settings.ts";
import { commandSettings } from "../stand-in-settings.ts";

export type PanicSettings = Pick<Config, "table" | "stateDir">;

export const panicOptions = {
	config: { type: "string" },
	"state-dir": { type: "string" },
	...jsonOption,
} as const satisfies Parameters<typeof parseOnlyOptions>[1];

/** In an emergency a broken config file is no reason to do nothing: what was last good stands in, or the defaults. */
export function panicSettings(flags: SettingsFlags, io: Io): PanicSettings {
	return commandSettings(flags, io);
}

/** Whether this process may change the kernel's tables and root's state. */
export function isRoot(): boolean {
	return process.geteuid?.() === 0;
}
