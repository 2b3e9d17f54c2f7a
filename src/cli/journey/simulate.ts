/** `portward simulate`: what other policies would have made of the flows that were seen. */

import { resolve } from "node:path";
import { escapeForTerminal } from "../../base/terminal.ts";
import { simulateFlows, simulationJson } from "../../enforcers/network/history/simulate.ts";
import { readWrittenModel } from "../../engine/policy-model.ts";
import { selectionNote } from "../../engine/policy-set.ts";
import { type Command, exit, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { chosenHistory } from "./chosen-history.ts";
import { simulationLines } from "./simulate-text.ts";
import { simulateUsb, usbSimulationJson, usbSimulationLines } from "./simulate-usb.ts";
import { parseSince } from "./since.ts";

const help = `Usage: portward simulate --policy-dir NEW [--since TIME] [--from FILE]
                         [--config FILE] [--state-dir DIR]
                         [--status-address ADDRESS] [--json]

What NEW would have made of the flows that were seen, at once: those that would
be blocked, those that would pass, and how many would fare as they did; by
rule, each with its newest flow. The flows are those of the running daemon, or
those that the last one kept. Changes nothing.

The USB devices that came to this host are judged as well, as if they were
plugged in under NEW; not with --from or --status-address.

Records of flows have no source port and no type of ICMP: a rule that names
source ports is not met, and ICMP is taken for an echo request. Of flows that
were merged into a block of addresses some may fare otherwise: "partly" says
so. Nor do records say who sent: flows that fare one way for some users, groups
or services and another way for others are counted as "cannot be told".
Quotas are not simulated: no flow is judged as if one were exhausted.
What enforcement: audit or guests.forwarded: audit would let pass is told as
blocked, as it would be without.

  --policy-dir NEW  a directory of policies, or one file
  --since TIME      what was last seen since then: 90s, 2h, 7d, 4w, or a time
  --from FILE       what portward flows --json printed, perhaps on another
                    host; - for standard input
  --config FILE     settings (default /etc/portward/config.yaml)
  --state-dir DIR   the daemon's state (default: stateDir of the settings)
  --status-address ADDRESS
                    where the daemon to ask listens
  --json            print {since, wouldBlock, wouldAllow, unchanged, rules:
                    [{policy, direction, index, change, count, partly,
                    example}], usb} and, where there are any, {untold};
                    policy null: no rule matches; usb has {wouldBlock,
                    wouldAllow, unchanged, rules} of devices, or is null
                    where none are judged

Exit codes: 0 nothing that was seen would be blocked, 2 something would, 1 NEW
has errors or there are no flows to be had.
`;

export const simulate: Command = {
	name: "simulate",
	summary: "what other policies would have made of what was seen",
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
		// Devices are kept by this host alone.
		const own = flags.from === undefined && flags["status-address"] === undefined;
		const usb = own ? simulateUsb(set, config, parseSince(flags.since, Date.now()), io) : null;
		if (flags.json) {
			io.out(prettyJson({ ...simulationJson(simulation), usb: usb && usbSimulationJson(usb) }));
		} else {
			const lines = [...simulationLines(simulation), ...(usb === null ? [] : usbSimulationLines(usb))];
			io.out(lines.map((line) => `${line}\n`).join(""));
		}
		return simulation.wouldBlock > 0 || (usb?.wouldBlock ?? 0) > 0 ? exit.changes : exit.ok;
	},
};
