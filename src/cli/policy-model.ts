/** What a policy directory means on this host, for the commands that ask about meaning alone. */

import { compileNetwork } from "../compile/network.ts";
import type { NetworkModel } from "../compile/program.ts";
import type { Config } from "../config/model.ts";
import { compileOptions } from "../daemon/policy-engine.ts";
import type { Io } from "./command.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { readPolicySet } from "./policy-set.ts";

/**
 * The compiled policies of a path that select this host. Null where there is an error in one of them: an answer about
 * what is left would be wrong, so the errors are printed instead.
 */
export function readModel(path: string, config: Config, io: Io): NetworkModel | null {
	const set = readPolicySet([path], config);
	const compiled = compileNetwork(set.selected, compileOptions(config, "0", "concatenated"));
	const errors = [...set.diagnostics, ...compiled.diagnostics].filter(({ severity }) => severity === "error");
	printDiagnostics(errors, io);
	const others = set.policies.length - set.selected.length;
	if (others > 0)
		io.error(`portward: ${path}: ${others} of ${set.policies.length} policies do not select this host\n`);
	return errors.length > 0 || !compiled.ok || set.unread ? null : compiled.model;
}
