import { resolve } from "node:path";
import { listsBeside } from "../../engine/groups/lists-beside.ts";
import { makePlan } from "../../engine/plan-make.ts";
import { longestWait, shortestWait } from "../../serve/control/control-protocol.ts";
import { incomingDirectory } from "../../state/pending-record.ts";
import { readTree } from "../../state/pending-tree.ts";
import { type Command, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { parseDuration } from "../duration.ts";
import { parseOnlyOptions } from "../options.ts";
import { telling } from "../outcome.ts";
import { planJson, printPlan } from "../plan/plan-text.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { errorText } from "../status/client.ts";
import { askDaemon, daemonOptions, ownSession, printReply } from "./change-reply.ts";
import { withCopy } from "./incoming.ts";

const help = `Usage: portward apply --policy-dir NEW [--confirm-within 60s]
                      [--config FILE] [--state-dir DIR]
                      [--insecure-permissions] [--json]

Enforces the policies in NEW for a time. Prints the plan first (as portward
plan does), then asks the running daemon, as root. Unless \`portward confirm\`
comes in time, everything goes back to what was in force before by itself: when
this session is cut off, when the daemon is killed, and when the machine is
started anew. Time during which the machine sleeps counts.

  1. portward apply --policy-dir NEW --confirm-within 2m
  2. open a new connection to this host
  3. portward confirm            in it; NEW then is the content of policyDir
     portward rollback           goes back at once

Lists of groups that lie in NEW go with it; what NEW lacks of them is read in
policyDir. NEW is taken whole or not at all: it is refused when anything in it
is broken, when others than root can write it, with policySignature: required
when it is not signed, and with policyTests: enforce when a test in it fails.
Only one change can be pending. Until it is settled, changes of the configured
policyDir wait.

  --policy-dir NEW          a directory of policies; it is copied
  --confirm-within TIME     from 10s to 24h, such as 90s or 10m
                            (default: confirmWithin of the settings, 60s)
  --config FILE             settings (default /etc/portward/config.yaml)
  --state-dir DIR           the daemon's state (default: that of the settings)
  --insecure-permissions    accept files that others than root can write, where
                            the daemon does too
  --json                    print {ok, messages, problems, diagnostics, plan,
                            change, seconds}: plan as portward plan has it, and
                            the pending change with its time, null for none

Exit code: 0 NEW is in force and waits for its confirmation, or is in force
already; 1 it is not, and nothing has changed.
`;

export const apply: Command = {
	name: "apply",
	summary: "enforce other policies until they are confirmed or roll back",
	help,
	run: telling(async (args, io) => {
		const values = parseOnlyOptions(args, {
			"policy-dir": { type: "string" },
			"confirm-within": { type: "string" },
			"insecure-permissions": { type: "boolean" },
			...daemonOptions,
		});
		const { "policy-dir": named, "confirm-within": within, ...flags } = values;
		if (named === undefined)
			throw new UsageError("name the new policies, such as: portward apply --policy-dir new-policies");
		const seconds = within === undefined ? null : parseDuration(within);
		if (within !== undefined && (seconds === null || seconds < shortestWait || seconds > longestWait))
			throw new UsageError("--confirm-within takes from 10s to 24h, such as 90s, 10m or 2h");
		const config = commandSettings(flags, io);
		const from = resolve(named);
		const plan = makePlan({ config, directory: from });
		if (plan.ok) {
			if (io.values === undefined) printPlan(plan.plan, io);
			else io.values.add({ plan: planJson(plan.plan) });
		}
		// The daemon decides. What is in force may be unreadable, and then a new set is what is needed.
		else printDiagnostics(plan.diagnostics, io);
		const options = { checkPermissions: values["insecure-permissions"] !== true };
		const read = readTree(from, options);
		if (!read.ok) return printReply({ ok: false, message: read.problems.join("\n") }, io);
		const lists = listsBeside(from, read.files, options);
		if (!lists.ok) return printReply({ ok: false, message: lists.problems.join("\n") }, io);
		const files = [...read.files, ...lists.files];
		try {
			// A unit's own /tmp or a hidden /home keeps the daemon from seeing what is named here.
			return await withCopy(incomingDirectory(config.stateDir), files, async (directory) => {
				const session = ownSession();
				const request = { verb: "apply", directory, from, seconds, session } as const;
				return await askDaemon(request, flags, io, config);
			});
		} catch (error) {
			return printReply(
				{ ok: false, message: `the policies cannot be given to the daemon: ${errorText(error)}` },
				io,
			);
		}
	}),
};
