/** `portward simulate`: what other policies would have made of the flows that were seen. */

import { resolve } from "node:path";
import { escapeForTerminal } from "../../base/terminal.ts";
import { type Simulation, simulateFlows, simulationJson } from "../../enforcers/network/history/simulate.ts";
import { readWrittenModel } from "../../engine/policy-model.ts";
import { selectionNote } from "../../engine/policy-set.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { chosenHistory } from "./chosen-history.ts";
import { simulationLines } from "./simulate-text.ts";

const help = `Usage: portward simulate --policy-dir NEW [--since TIME] [--from FILE]
                         [--config FILE] [--state-dir DIR]
                         [--status-address ADDRESS] [--json]

What NEW would have made of the flows that were seen, at once: those that would
be blocked, those that would pass, and how many would fare as they did; by
rule, each with its newest flow. The flows are those of the running daemon, or
those that the last one kept. Changes nothing.

Records of flows have no source port and no type of ICMP: a rule that names
source ports is not met, and ICMP is taken for an echo request. Of flows that
were merged into a block of addresses some may fare otherwise: "partly" says
so.
What enforcement: audit or guests.forwarded: audit would let pass is told as
blocked, as it would be without.

  --policy-dir NEW  a directory of policies, or one file
  --since TIME      flows last seen since then: 90s, 2h, 7d, 4w, or a time
  --from FILE       what portward flows --json printed, perhaps on another
                    host; - for standard input
  --config FILE     settings (default /etc/portward/config.yaml)
  --state-dir DIR   the daemon's state (default: stateDir of the settings)
  --status-address ADDRESS
                    where the daemon to ask listens
  --json            print {since, wouldBlock, wouldAllow, unchanged, rules:
                    [{policy, direction, index, change, count, partly,
                    example}]}; policy null: no rule matches

Exit codes: 0 nothing that was seen would be blocked, 2 something would, 1 NEW
has errors or there are no flows to be had.
`;

export const simulate: Command = {
	name: "simulate",
	summary: "what other policies would have made of the flows that were seen",
	help,
	async run(args, io) {
		const { "policy-dir": named, ...flags } = parseOnlyOptions(args, {
			...policyOptions,
			since: { type: "string" },
			from: { type: "string", offer: "file" },
			"state-dir": { type: "string" },
			"status-address": { type: "string" },
			json: { type: "boolean" },
		});
		if (named === undefined)
			throw new UsageError("name the policies to try, such as: portward simulate --policy-dir new-policies");
		const settings = readSettings(flags, false);
		const { config } = settings;
		if (config === null) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const path = resolve(named);
		const { model, set, errors } = readWrittenModel(path, config);
		printDiagnostics(errors, io);
		const note = selectionNote(set);
		if (note !== null) io.error(`portward: ${escapeForTerminal(`${path}: ${note}`)}\n`);
		if (model === null) return exit.failure;
		const history = await chosenHistory(flags, () => config, io);
		if (history === null) return exit.failure;
		const simulation = simulateFlows(history, model, config.essentials);
		if (flags.json) io.out(prettyJson(simulationJson(simulation)));
		else printSimulation(simulation, io);
		return simulation.wouldBlock > 0 ? exit.changes : exit.ok;
	},
};

function printSimulation(simulation: Simulation, io: Io): void {
	io.out(
		simulationLines(simulation)
			.map((line) => `${line}\n`)
			.join(""),
	);
}
