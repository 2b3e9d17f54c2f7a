/** The policies that a command asks about. */

import type { Config } from "../../config/model.ts";
import type { NetworkModel } from "../../enforcers/network/compile/program.ts";
import { compileSet, wholeModel } from "../../engine/policy-model.ts";
import { selectionNote } from "../../engine/policy-set.ts";
import type { Io } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";

/** The whole model of a path, or null, with the errors printed. */
export function readModel(path: string, config: Config, io: Io): NetworkModel | null {
	const read = compileSet(path, config);
	printDiagnostics(read.errors, io);
	const note = selectionNote(read.set);
	if (note !== null) io.error(`portward: ${path}: ${note}\n`);
	return wholeModel(read);
}
