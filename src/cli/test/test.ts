import { writeFileSync } from "node:fs";
import { escapeForTerminal } from "../../base/terminal.ts";
import { asideOf } from "../../document/parse.ts";
import { type PolicySet, readPolicySet, selectionNote } from "../../engine/policy-set.ts";
import { policyTestKind } from "../../engine/testing/kind.ts";
import { modelsIn } from "../../engine/testing/models.ts";
import { runTests } from "../../engine/testing/run.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { junit } from "./junit.ts";
import { probeTests } from "./probe.ts";
import { coverageText, probeText, testText } from "./test-text.ts";

const help = `Usage: portward test [--policy-dir DIR] [--config FILE] [--json] [--coverage]
                     [--junit FILE] [--probe] [FILE...]

Runs the test cases (kind: PortwardTest) of FILEs against the policies; without
FILEs those that lie beside them. Needs neither root nor a daemon, and changes
nothing. The daemon runs those beside the policies, too: see policyTests.

  --policy-dir DIR  policies (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
  --coverage        name the rules that no case decides
  --junit FILE      write the results as JUnit XML, for CI systems
  --probe           send each case as a real packet too, as root: whether this
                    kernel does what the model says, in every form of ruleset
                    that it takes. The packets stay in a network namespace that
                    the command makes, and that ends with it; the host's
                    network and rules are not touched
  --json            print {ok, passed, failed, cases}

Exit codes: 0 every case is as expected, 1 one is not, the kernel disagrees
with the model, or failure.
`;

export const test: Command = {
	name: "test",
	summary: "run the test cases of policies",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(
			args,
			{
				...policyOptions,
				json: { type: "boolean" },
				coverage: { type: "boolean" },
				junit: { type: "string" },
				probe: { type: "boolean" },
			},
			["file"],
		);
		const settings = readSettings(values, false);
		if (!settings.config) {
			printDiagnostics(settings.diagnostics, io);
			return exit.failure;
		}
		const { config } = settings;
		const set = readPolicySet(positionals.length === 0 ? [config.policyDir] : positionals, config);
		const errors = set.diagnostics.filter(({ severity }) => severity === "error");
		if (errors.length > 0 || set.unread) {
			printDiagnostics(errors, io);
			return exit.failure;
		}
		const tests = set.asides.flatMap((document) => asideOf(policyTestKind, document));
		if (tests.length === 0)
			throw new UsageError("there is no document of kind: PortwardTest; name a file that has one");
		const policies = positionals.length === 0 ? set : readPolicySet([config.policyDir], config);
		noteStaged(policies, config.policyDir, io);
		const run = runTests(tests, modelsIn(config.policyDir), config);
		printDiagnostics(run.diagnostics, io);
		const failed = run.results.filter(({ ok }) => !ok).length;
		const passed = run.results.length - failed;
		const probed = values.probe === true ? probeTests(run.packets) : null;
		if (probed?.ok === false) {
			io.error(`portward: the cases cannot be probed: ${escapeForTerminal(probed.message)}\n`);
			return exit.failure;
		}
		const report = probed?.report ?? null;
		const agrees = report === null || report.disagreements.length === 0;
		const ok = failed === 0 && run.diagnostics.length === 0 && agrees;
		if (values.junit !== undefined) {
			try {
				writeFileSync(values.junit, junit(run.results));
			} catch (error) {
				io.error(`portward: ${values.junit}: ${error instanceof Error ? error.message : error}\n`);
				return exit.failure;
			}
		}
		const undecided = [...run.rules].filter((rule) => !run.covered.has(rule)).sort();
		if (values.json) {
			const coverage = values.coverage ? { rules: run.rules.size, undecided } : undefined;
			io.out(
				prettyJson({
					ok,
					passed,
					failed,
					cases: run.results,
					...(coverage && { coverage }),
					...(report && { probe: report }),
				}),
			);
		} else {
			io.out(testText(run, passed, failed));
			if (values.coverage) io.out(coverageText(run, undecided));
			if (report !== null) io.out(probeText(report));
		}
		return ok ? exit.ok : exit.failure;
	},
};

/** Which policies no case is held against. Each test says itself what host it is of. */
function noteStaged({ policies }: PolicySet, path: string, io: Io): void {
	const note = selectionNote({ policies, selected: policies });
	if (note !== null) io.error(`portward: ${escapeForTerminal(`${path}: ${note}`)}\n`);
}
