/** Command-line options, on top of `util.parseArgs`. */

import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "./command.ts";

type OptionTable = NonNullable<ParseArgsConfig["options"]>;

/** Parses strictly; a bad option is a UsageError that names it. */
export function parseOptions<const T extends OptionTable>(args: readonly string[], options: T) {
	try {
		return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
	} catch (error) {
		throw new UsageError(error instanceof Error ? error.message : String(error));
	}
}

/** The options of every command that reads policies offline. */
export const policyOptions = {
	"policy-dir": { type: "string" },
	config: { type: "string" },
} as const;
