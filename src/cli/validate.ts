import { compileNetwork } from "../compile/network.ts";
import type { Config } from "../config/model.ts";
import { compileOptions } from "../daemon/policy-engine.ts";
import type { Diagnostic } from "../policy/diagnostic.ts";
import type { NetworkPolicy } from "../policy/model.ts";
import { type Command, exit, UsageError } from "./command.ts";
import { hasError, printDiagnostics, sorted } from "./diagnostics.ts";
import { parseOptions } from "./options.ts";
import { type PolicySet, readPolicySet } from "./policy-set.ts";
import { readSettings } from "./settings.ts";

const help = `Usage: portward validate PATH... [--json] [--config FILE]

Checks policy files and directories: what is wrong, where, and what to write
instead. Warnings do not fail. --config gives the node labels and settings of
the host that the policies are for.
`;

export const validate: Command = {
	name: "validate",
	summary: "check policy files",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(args, {
			json: { type: "boolean" },
			config: { type: "string" },
		});
		if (positionals.length === 0) throw new UsageError("validate needs a file or directory");
		const settings = readSettings(values, false);
		const set: PolicySet = settings.config
			? readPolicySet(positionals, settings.config)
			: { policies: [], selected: [], diagnostics: [] };
		const meaning = settings.config ? lint(set, settings.config) : [];
		const diagnostics = unique([...settings.diagnostics, ...set.diagnostics, ...meaning]);
		const ok = !hasError(diagnostics);
		if (values.json) io.out(`${JSON.stringify({ ok, diagnostics: sorted(diagnostics) }, null, 2)}\n`);
		else {
			printDiagnostics(diagnostics, io);
			const warnings = diagnostics.filter((diagnostic) => diagnostic.severity === "warning").length;
			const errors = diagnostics.length - warnings;
			io.out(`${set.policies.length} valid, ${errors} errors, ${warnings} warnings\n`);
		}
		return ok ? exit.ok : exit.failure;
	},
};

/** What the policies of this host mean together, and what each of the others means alone. */
function lint(set: PolicySet, config: Config): readonly Diagnostic[] {
	const options = compileOptions(config, "lint", "concatenated");
	const others = set.policies.filter((policy) => !set.selected.includes(policy));
	const sets: (readonly NetworkPolicy[])[] = [set.selected, ...others.map((policy) => [policy])];
	return sets.flatMap((policies) => compileNetwork(policies, options).diagnostics);
}

function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
	return [...new Map(diagnostics.map((diagnostic) => [JSON.stringify(diagnostic), diagnostic])).values()];
}
