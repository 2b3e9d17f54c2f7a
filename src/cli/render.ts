import { baseChain, rootRule, stableObjects } from "../apply/transaction.ts";
import { compileNetwork } from "../compile/network.ts";
import type { NetworkPlan } from "../compile/plan.ts";
import { compileOptions } from "../daemon/policy-engine.ts";
import type { Direction } from "../policy/model.ts";
import { type Command, exit } from "./command.ts";
import { hasError, printDiagnostics } from "./diagnostics.ts";
import { parseOnlyOptions, policyOptions } from "./options.ts";
import { readPolicySet } from "./policy-set.ts";
import { readSettings } from "./settings.ts";

const help = `Usage: portward render [--policy-dir DIR] [--config FILE]

Prints the nftables table that \`portward run\` would load for the policies that
select this host, as text that \`nft -f\` accepts. Changes nothing.

  --policy-dir DIR  policies (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
`;

export const render: Command = {
	name: "render",
	summary: "print the ruleset that policies compile to",
	help,
	async run(args, io) {
		const values = parseOnlyOptions(args, policyOptions);
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
		io.out(tableText(compiled.plan, config.table));
		return hasError(diagnostics) ? exit.failure : exit.ok;
	},
};

const directions: readonly Direction[] = ["ingress", "egress"];

/** The whole table with a plan in force, as the steps of src/apply leave it. `table` is a checked identifier. */
export function tableText(plan: NetworkPlan, table: string): string {
	const counters = plan.objects.filter((object) => object.kind === "counter");
	const others = plan.objects.filter((object) => object.kind !== "counter");
	const objects = [...counters, ...others].map((object) => indent(object.text));
	const chains = directions.flatMap((direction) => {
		const { hook, rules } = baseChain(direction);
		return [
			chain(`root_${direction}`, [rootRule(direction, plan.roots)]),
			chain(direction, [hook, ...rules]),
		];
	});
	return `table inet ${table} {\n${[stableObjects(), ...objects, ...chains].join("\n")}}\n`;
}

function chain(name: string, lines: readonly string[]): string {
	return indent(`chain ${name} {\n${lines.map((line) => `\t${line}\n`).join("")}}\n`);
}

function indent(text: string): string {
	return text.replace(/^(?=.)/gm, "\t");
}
