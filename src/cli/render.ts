import { compileNetwork } from "../compile/network.ts";
import { renderPlan } from "../compile/render.ts";
import { compileOptions } from "../daemon/policy-engine.ts";
import { type Command, exit } from "./command.ts";
import { hasError, printDiagnostics } from "./diagnostics.ts";
import { parseOptions, policyOptions } from "./options.ts";
import { readPolicySet } from "./policy-set.ts";
import { readSettings } from "./settings.ts";

export const render: Command = {
	name: "render",
	summary: "print the ruleset that policies compile to",
	help: "Usage: portward render [--policy-dir DIR] [--config FILE]\n\nPrints the nftables table for the policies that select this host. Changes nothing.\n",
	async run(args, io) {
		const { values } = parseOptions(args, policyOptions);
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const { config } = settings;
		const set = readPolicySet([config.policyDir], config);
		const form = config.rulesetForm === "nested" ? "nested" : "concatenated";
		const compiled = compileNetwork(set.selected, compileOptions(config, "0", form));
		const diagnostics = [...set.diagnostics, ...compiled.diagnostics];
		printDiagnostics(diagnostics, io);
		if (!compiled.ok) return exit.failure;
		io.out(renderPlan(compiled.plan, config.table));
		return hasError(diagnostics) ? exit.failure : exit.ok;
	},
};
