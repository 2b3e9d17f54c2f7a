/** `portward recommend`: policies that allow what was seen, each rule with its evidence. */

import { join, resolve } from "node:path";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { baselineFile } from "../../enforcers/network/history/baseline.ts";
import { baselineKeys } from "../../enforcers/network/history/recommend/baseline-keys.ts";
import type { Remembered } from "../../enforcers/network/history/recommend/model.ts";
import { recommendFlows } from "../../enforcers/network/history/recommend/recommend.ts";
import { readStates, statesFile } from "../../enforcers/network/history/recommend/states.ts";
import type { SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { writeState } from "../../state/state-file.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { chosenHistory } from "./chosen-history.ts";
import { narrowRules } from "./narrow.ts";
import { OutDirectory } from "./out-directory.ts";
import { isOurs, makeFiles, policyFile } from "./recommend-files.ts";
import { type RecommendSettings, recommendSettings } from "./recommend-options.ts";
import { printRecommendation, recommendationJson } from "./recommend-text.ts";
import { recommendUsb } from "./recommend-usb.ts";

const help = `Usage: portward recommend --out DIR [--update] [--since TIME] [--min-count N]
                          [--aggregate HOW] [--from FILE] [--no-baseline]
                          [OPTION]...
       portward recommend --narrow [--since TIME] [--aggregate HOW]
                          [--from FILE] [OPTION]...
       portward recommend usb --out DIR [--update] [OPTION]...

Writes policies that allow what was seen, one for each service, with the
evidence for every rule as comments, and test cases made of it. The same flows
give the same files. What stays out, and why, is in DIR/recommend.report: what
was blocked, scans and sweeps, one-off strangers, what some policy wants to be
told of, and what passes without a rule. None of that becomes an Allow unasked.

DIR/recommend.states has a line for each candidate: Learn stays out for now,
Set is in, Ignore never comes in. Change the words and run it again with
--update. A file that was changed by hand is left alone, and told; one that was
deleted means Ignore.

Unless the flows are of a file, or of a daemon that was named with
--status-address, they are remembered as what is known: what is seen later and
none of them covers is new to portward flows --new.

With --narrow it prints rules that are in force and broader than what was seen
through them, each with a narrower form. usb does the same for USB devices.

  --out DIR        where files are written; without --update it has none of
                   an earlier run
  --update         write over what an earlier run wrote
  --narrow         print rules in force that allow more than was seen
  --since TIME     flows last seen since then: 90s, 2h, 7d, 4w, or a time
  --min-count N    what was seen fewer times is one-off (default 2)
  --aggregate HOW  auto: a /24, or a /64 of IPv6, of which 3 addresses were
                   seen often enough is one block; none: each address for
                   itself; /N or /N,/M: blocks of that size, M for IPv6
                   (default 64)
  --from FILE      what portward flows --json printed, perhaps on another
                   host; - for standard input
  --no-baseline    do not remember the flows as known
  --policy-dir DIR
                   with --narrow: the policies (default
                   /etc/portward/policies)
  --config FILE    settings (default /etc/portward/config.yaml)
  --state-dir DIR  the daemon's state (default: stateDir of the settings)
  --status-address ADDRESS
                   where the daemon to ask listens; its flows are not
                   remembered as known on this host
  --json           print {files: [{file, change}], rules: [{policy, direction,
                   index, interfaces, blocks}], leftOut: [{flow, reason}]};
                   with --narrow {rules: [{policy, direction, index, file,
                   line, flows, count, unused, leftOut, narrower}]}; usb:
                   {files, rules, leftOut: [{device, reason}]}

Exit codes: 0 done, 1 failure.
`;

export const recommend: Command = {
	name: "recommend",
	summary: "policies that allow what was seen, with evidence for every rule",
	help,
	async run(args, io) {
		if (args[0] === "usb") return recommendUsb(args.slice(1), io);
		const { values, positionals } = parseOptions(
			args,
			{
				...policyOptions,
				out: { type: "string", offer: "directory" },
				update: { type: "boolean" },
				since: { type: "string" },
				"min-count": { type: "string" },
				aggregate: { type: "string", offer: ["auto", "none", "/24"] },
				from: { type: "string", offer: "file" },
				narrow: { type: "boolean" },
				"no-baseline": { type: "boolean" },
				"state-dir": { type: "string" },
				"status-address": { type: "string" },
				json: { type: "boolean" },
			},
			[["usb"]],
		);
		if (positionals.length > 0)
			throw new UsageError(
				`${JSON.stringify(positionals[0])} is not expected here; write usb, or options alone`,
			);
		const wish = recommendSettings(values);
		const settings = readSettings(values, false);
		const { config } = settings;
		if (config === null) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		if (wish.out === null) {
			const seen = await chosenHistory(values, () => config, io);
			return seen === null ? exit.failure : narrowRules(seen, wish, config, io);
		}
		const history = await chosenHistory(values, () => config, io);
		return history === null ? exit.failure : fill(resolve(wish.out), history, wish, config, io);
	},
};

function fill(path: string, history: SeenHistory, wish: RecommendSettings, config: Config, io: Io): number {
	const directory = OutDirectory.open(path);
	if (typeof directory === "string") return fail(io, directory);
	using held = directory;
	const before = statesBefore(held, path, wish.update, io);
	if (before === null) return exit.failure;
	const remembered = withoutDeleted(before, held);
	const options = wish.options(config);
	const recommendation = recommendFlows(history.flows, options, remembered);
	const result = makeFiles(recommendation, remembered, held, path, config);
	if (!result.ok) {
		printDiagnostics(result.diagnostics, io);
		return fail(io, `nothing was written, as policies in ${path} are broken`);
	}
	const { made } = result;
	const problem = held.write(made.write, made.remove);
	if (problem !== null) return fail(io, `${path}: ${problem}`);
	if (wish.json) io.out(prettyJson(recommendationJson(recommendation, made)));
	else printRecommendation(path, history, recommendation, made, io);
	if (wish.baseline) keepBaseline(config, baselineKeys(recommendation), io);
	return exit.ok;
}

function fail(io: Io, message: string): number {
	io.error(`portward: ${escapeForTerminal(message)}\n`);
	return exit.failure;
}

/** What an earlier run and its reader decided; null where the directory is not to be touched, and that was told. */
function statesBefore(
	directory: OutDirectory,
	path: string,
	update: boolean,
	io: Io,
): readonly Remembered[] | null {
	const [ours] = directory.names().filter(isOurs);
	if (!update && ours !== undefined) {
		fail(io, `${path} has ${ours} already; go on there with --update, or name another directory`);
		return null;
	}
	const text = directory.read(statesFile);
	if (text === null) return [];
	if (text instanceof Error) {
		fail(io, `${path}: ${text.message}`);
		return null;
	}
	const read = readStates(join(path, statesFile), text);
	if (read.ok) return read.states;
	printDiagnostics(read.diagnostics, io);
	return null;
}

/** Whoever deleted a policy did not want it: what was written into it and was seen is ignored from now on. */
function withoutDeleted(before: readonly Remembered[], directory: OutDirectory): readonly Remembered[] {
	const present = new Set(directory.names());
	return before.map((one) => {
		const gone = one.state === "Set" && one.wasIn && !present.has(policyFile(one.candidate.service));
		return gone ? { ...one, state: "Ignore" } : one;
	});
}

/** What is known from now on. That it cannot be written, as to others than root, is told and no failure. */
function keepBaseline({ stateDir }: Config, keys: readonly string[], io: Io): void {
	const path = join(stateDir, baselineFile);
	const problem = writeState(path, { madeAt: Date.now(), keys });
	if (problem !== null)
		io.error(`portward: what is known was not remembered: ${escapeForTerminal(problem)}\n`);
}
