import type { Diagnostic } from "../../base/diagnostic.ts";
import { hasError } from "../../base/diagnostic.ts";
import { defaultConfig } from "../../config/parse.ts";
import type { Enforcer } from "../../enforcers/contract/enforcer.ts";
import { enforcers, kindsOf } from "../../engine/enforcers.ts";
import { lintSet } from "../../engine/lint-set.ts";
import { readPolicySet, selectionNote } from "../../engine/policy-set.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { plural, printDiagnostics, sorted } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOptions } from "../options.ts";
import { readSettings } from "../settings.ts";

const help = `Usage: portward validate PATH... [--json] [--config FILE]
       portward validate --config FILE [--json]

Checks policy files and directories: what is wrong, where, and what to write
instead. Warnings do not fail. The settings are checked as well.

  --json         print {ok, diagnostics: [{file, line, column, path, severity,
                 code, message, hint}]}
  --config FILE  labels and settings of the host that the policies are for
                 (default /etc/portward/config.yaml)
`;

export const validate: Command = {
	name: "validate",
	summary: "check policies and settings",
	help,
	run: async (args, io) => runValidate(args, io),
};

/** `registered` are the enforcers that are asked. */
export async function runValidate(
	args: readonly string[],
	io: Io,
	registered: readonly Enforcer[] = enforcers,
): Promise<number> {
	const { values, positionals } = parseOptions(
		args,
		{
			json: { type: "boolean" },
			config: { type: "string" },
		},
		["file"],
	);
	if (positionals.length === 0 && values.config === undefined)
		throw new UsageError("name a file or directory to check, such as: portward validate policies");
	const settings = readSettings(values, false);
	// Broken settings are no reason to keep back what is wrong with the policies.
	const config = settings.config ?? defaultConfig();
	const set = readPolicySet(positionals, config, kindsOf(registered));
	const diagnostics = unique([
		...settings.diagnostics,
		...set.diagnostics,
		...lintSet(set, config, registered),
	]);
	const ok = !hasError(diagnostics);
	if (values.json) {
		io.out(prettyJson({ ok, diagnostics: sorted(diagnostics).map(toJson) }));
	} else {
		printDiagnostics(diagnostics, io);
		const note = selectionNote(set);
		if (note !== null) io.error(`portward: ${note}\n`);
		const warnings = diagnostics.filter((diagnostic) => diagnostic.severity === "warning").length;
		const errors = diagnostics.length - warnings;
		// Of settings alone "0 valid" would look like a failure.
		const counted = positionals.length === 0 ? "settings: " : `${set.policies.length} valid, `;
		io.out(`${counted}${plural(errors, "error")}, ${plural(warnings, "warning")}\n`);
	}
	return ok ? exit.ok : exit.failure;
}

function toJson({ file, line, column, path, severity, code, message, hint }: Diagnostic): Diagnostic {
	return { file, line, column, path, severity, code, message, hint };
}

function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
	return [...new Map(diagnostics.map((diagnostic) => [JSON.stringify(diagnostic), diagnostic])).values()];
}
