/** What a policy directory means on this host, for the commands that ask about meaning alone. */

import type { Diagnostic } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import type { Compiled } from "../enforcers/contract/enforcer.ts";
import { checkSenders } from "../enforcers/network/compile/named.ts";
import type { NetworkPlan } from "../enforcers/network/compile/plan.ts";
import { buildModel, type NetworkModel, ruleSets } from "../enforcers/network/compile/program.ts";
import { checkRules } from "../enforcers/network/compile/rules.ts";
import { checkSuffixes } from "../enforcers/network/compile/suffixes.ts";
import { networkEnforcer } from "../enforcers/network/enforcer.ts";
import { networkPart } from "../enforcers/network/model.ts";
import { compileOptions } from "../enforcers/network/run/compile-options.ts";
import { type PolicySet, readPolicySet } from "./policy-set.ts";

export interface CompiledSet {
	readonly set: PolicySet;
	readonly compiled: Compiled<NetworkModel, NetworkPlan>;
	/** Of the files and of the set as a whole. */
	readonly errors: readonly Diagnostic[];
}

/** Reads a path and compiles its policies that select this host; nothing is rendered for a kernel to keep. */
export function compileSet(path: string, config: Config): CompiledSet {
	const set = readPolicySet([path], config);
	const request = { config, purpose: "question", wish: null } as const;
	const staged = networkPart.staged(set.selected);
	const compiled = networkEnforcer.compile(networkPart.of(set.selected), { ...request, staged });
	const errors = [...set.diagnostics, ...compiled.diagnostics].filter(({ severity }) => severity === "error");
	return { set, compiled, errors };
}

/** The model where everything could be read; null where an answer about what is left would be wrong. */
export function wholeModel({ set, compiled, errors }: CompiledSet): NetworkModel | null {
	return errors.length > 0 || !compiled.ok || set.unread ? null : compiled.kept;
}

/**
 * The model of a path's policies that select this host, as they are written, and nothing for a kernel: of many rules that
 * takes a fraction of the time. Null where something is wrong, as `errors` say.
 */
export function readWrittenModel(
	path: string,
	config: Config,
): { readonly set: PolicySet; readonly model: NetworkModel | null; readonly errors: readonly Diagnostic[] } {
	const set = readPolicySet([path], config);
	const policies = networkPart.of(set.selected);
	const options = compileOptions(config, "0", "concatenated");
	const wrong = [
		...checkRules(policies),
		...checkSenders(policies, options.resolve),
		...checkSuffixes(policies, options.resolve),
	];
	const errors = [...set.diagnostics, ...wrong].filter(({ severity }) => severity === "error");
	if (errors.length > 0 || set.unread) return { set, model: null, errors };
	return { set, model: buildModel(ruleSets(policies, options), options), errors };
}
