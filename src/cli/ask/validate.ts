import type { Diagnostic } from "../../base/diagnostic.ts";
import { hasError } from "../../base/diagnostic.ts";
import type { Config } from "../../config/model.ts";
import { defaultConfig } from "../../config/parse.ts";
import { compileNetwork } from "../../enforcers/network/compile/network.ts";
import type { NetworkPolicy } from "../../enforcers/network/model.ts";
import { lintHost } from "../../enforcers/network/run/host-lint.ts";
import { lintDeviceSet } from "../../enforcers/usb/compile/lint.ts";
import { DeviceRuleset, selectEntries } from "../../enforcers/usb/compile/ruleset.ts";
import { compileOptions } from "../../engine/policy-engine.ts";
import { type PolicySet, readPolicySet, selectionNote } from "../../engine/policy-set.ts";
import { type Command, exit, UsageError } from "../command.ts";
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
	async run(args, io) {
		const { values, positionals } = parseOptions(args, {
			json: { type: "boolean" },
			config: { type: "string" },
		});
		if (positionals.length === 0 && values.config === undefined)
			throw new UsageError("name a file or directory to check, such as: portward validate policies");
		const settings = readSettings(values, false);
		// Broken settings are no reason to keep back what is wrong with the policies.
		const config = settings.config ?? defaultConfig();
		const set = readPolicySet(positionals, config);
		const diagnostics = unique([...settings.diagnostics, ...set.diagnostics, ...lint(set, config)]);
		const ok = !hasError(diagnostics);
		if (values.json) {
			io.out(prettyJson({ ok, diagnostics: sorted(diagnostics).map(toJson) }));
		} else {
			printDiagnostics(diagnostics, io);
			const note = selectionNote(set);
			if (note !== null) io.error(`portward: ${note}\n`);
			const warnings = diagnostics.filter((diagnostic) => diagnostic.severity === "warning").length;
			const errors = diagnostics.length - warnings;
			io.out(
				`${set.policies.length + set.devicePolicies.length} valid, ${plural(errors, "error")}, ${plural(warnings, "warning")}\n`,
			);
		}
		return ok ? exit.ok : exit.failure;
	},
};

function toJson({ file, line, column, path, severity, code, message, hint }: Diagnostic): Diagnostic {
	return { file, line, column, path, severity, code, message, hint };
}

/** What the policies of this host mean together, and what each of the others means alone. */
function lint(set: PolicySet, config: Config): readonly Diagnostic[] {
	const options = compileOptions(config, "lint", "concatenated");
	const others = set.policies.filter((policy) => !set.selected.includes(policy));
	const sets: (readonly NetworkPolicy[])[] = [set.selected, ...others.map((policy) => [policy])];
	const foreign = set.devicePolicies.filter((policy) => !set.selectedDevices.includes(policy));
	const deviceSets = [set.selectedDevices, ...foreign.map((policy) => [policy])];
	const posture = config.hostDefaultDevicePosture;
	const compiled = sets.map((policies) => compileNetwork(policies, options));
	const [own] = compiled;
	const place = set.selected[0]?.place.file ?? "";
	return [
		...compiled.flatMap(({ diagnostics }) => diagnostics),
		...(own?.ok === true ? lintHost(own.model, place, "notable") : []),
		...deviceSets.flatMap((policies) => lintDeviceSet(new DeviceRuleset(selectEntries(policies), posture))),
	];
}

function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
	return [...new Map(diagnostics.map((diagnostic) => [JSON.stringify(diagnostic), diagnostic])).values()];
}
