import { hasError } from "../../base/diagnostic.ts";
import { planText } from "../../enforcers/network/apply/table-objects.ts";
import { compileNetwork } from "../../enforcers/network/compile/network.ts";
import { networkPart } from "../../enforcers/network/model.ts";
import { compileOptions } from "../../enforcers/network/run/compile-options.ts";
import { readPolicySet } from "../../engine/policy-set.ts";
import { type Command, exit } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { parseOnlyOptions, policyOptions } from "../options.ts";
import { jsonOption, telling } from "../outcome.ts";
import { readSettings } from "../settings.ts";

const help = `Usage: portward render [--policy-dir DIR] [--config FILE] [--json]

Prints the nftables table that \`portward run\` would load for the policies that
select this host, as text that \`nft -f\` accepts. Changes nothing.

  --policy-dir DIR  policies (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
  --json            print {ok, messages, problems, diagnostics, ruleset}
`;

export const render: Command = {
	name: "render",
	summary: "print the ruleset that policies compile to",
	help,
	run: telling(async (args, io) => {
		const values = parseOnlyOptions(args, { ...policyOptions, ...jsonOption });
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const { config } = settings;
		const set = readPolicySet([config.policyDir], config);
		const form = config.rulesetForm === "nested" ? "nested" : "concatenated";
		const options = compileOptions(config, "0", form);
		const compiled = compileNetwork(networkPart.of(set.selected), options, networkPart.staged(set.selected));
		const diagnostics = [...set.diagnostics, ...compiled.diagnostics];
		printDiagnostics(diagnostics, io);
		if (!compiled.ok) return exit.failure;
		const ruleset = planText(compiled.plan, config.table);
		if (io.values === undefined) io.out(ruleset);
		else io.values.add({ ruleset });
		return hasError(diagnostics) ? exit.failure : exit.ok;
	}),
};
